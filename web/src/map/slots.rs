//! Who sits where: every pod keeps the slot it was given until it leaves, so that nothing moves
//! that did not change. A newcomer takes the lowest free slot of its place.

use std::rc::Rc;

use crate::model::Sorted;

/// Where pods are: in the tray of those without a node, or on a node.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Place {
    /// No node yet.
    Tray,
    /// On the node of this name.
    Node(Rc<str>),
}

/// The slots of one place; an empty one has nobody.
type Row = Vec<Option<Rc<str>>>;

/// The slots of every place.
#[derive(Default, Debug)]
pub struct Slots {
    tray: Row,
    nodes: Sorted<Row>,
    seats: Sorted<(Place, usize)>,
}

impl Slots {
    /// Where a pod sits.
    pub fn seat(&self, uid: &str) -> Option<&(Place, usize)> {
        self.seats.get(uid)
    }

    /// Seats a pod; one that already sits in this place stays.
    pub fn put(&mut self, uid: &Rc<str>, place: Place) -> usize {
        if let Some((current, slot)) = self.seats.get(uid)
            && *current == place
        {
            return *slot;
        }
        self.remove(uid);
        let row = self.row_mut(&place);
        let slot = row.iter().position(Option::is_none).unwrap_or_else(|| {
            row.push(None);
            row.len() - 1
        });
        row[slot] = Some(Rc::clone(uid));
        self.seats.put(Rc::clone(uid), (place, slot));
        slot
    }

    /// Frees a pod's slot.
    pub fn remove(&mut self, uid: &str) {
        let Some((place, slot)) = self.seats.remove(uid) else { return };
        let row = self.row_mut(&place);
        row[slot] = None;
        while row.last().is_some_and(Option::is_none) {
            row.pop();
        }
        if let Place::Node(name) = &place
            && row.is_empty()
        {
            self.nodes.remove(name);
        }
    }

    fn row_mut(&mut self, place: &Place) -> &mut Row {
        let Place::Node(name) = place else { return &mut self.tray };
        if !self.nodes.contains(name) {
            self.nodes.put(Rc::clone(name), Row::new());
        }
        self.nodes.get_mut(name).expect("it was just put there")
    }

    fn row(&self, place: &Place) -> &[Option<Rc<str>>] {
        match place {
            Place::Tray => &self.tray,
            Place::Node(name) => self.nodes.get(name).map(Vec::as_slice).unwrap_or_default(),
        }
    }

    /// Closes all holes, in order. Only when everything moves anyway.
    pub fn compact(&mut self) {
        let rows = self.nodes.values_mut().chain(std::iter::once(&mut self.tray));
        for row in rows {
            row.retain(Option::is_some);
            for (slot, uid) in row.iter().flatten().enumerate() {
                if let Some((_, seat)) = self.seats.get_mut(uid) {
                    *seat = slot;
                }
            }
        }
    }

    /// Who sits in a slot.
    pub fn at(&self, place: &Place, slot: usize) -> Option<&Rc<str>> {
        self.row(place).get(slot)?.as_ref()
    }

    /// The pods of a place, by slot.
    pub fn of<'a>(&'a self, place: &Place) -> impl Iterator<Item = (usize, &'a Rc<str>)> + use<'a> {
        let row = self.row(place).iter().enumerate();
        row.filter_map(|(slot, uid)| Some((slot, uid.as_ref()?)))
    }

    /// How many slots the fullest node uses, holes included.
    pub fn longest_node(&self) -> usize {
        self.nodes.values().map(Vec::len).max().unwrap_or(0)
    }

    /// How many pods the fullest node holds.
    pub fn fullest_node(&self) -> usize {
        self.nodes.values().map(|row| row.iter().flatten().count()).max().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uid(text: &str) -> Rc<str> {
        Rc::from(text)
    }

    #[test]
    fn a_pod_keeps_its_slot_when_others_leave() {
        let (mut slots, node) = (Slots::default(), Place::Node(uid("n")));
        for name in ["a", "b", "c"] {
            slots.put(&uid(name), node.clone());
        }
        slots.remove("a");
        assert_eq!(slots.seat("b"), Some(&(node.clone(), 1)));
        assert_eq!(slots.put(&uid("d"), node.clone()), 0, "the lowest free slot");
        assert_eq!(slots.put(&uid("b"), node.clone()), 1, "already there");
        assert_eq!((slots.longest_node(), slots.fullest_node()), (3, 3));
    }

    #[test]
    fn moving_to_a_node_frees_the_tray() {
        let mut slots = Slots::default();
        slots.put(&uid("a"), Place::Tray);
        slots.put(&uid("b"), Place::Tray);
        slots.put(&uid("a"), Place::Node(uid("n")));
        assert_eq!(slots.of(&Place::Tray).map(|(slot, _)| slot).collect::<Vec<_>>(), [1]);
        assert_eq!(slots.at(&Place::Node(uid("n")), 0).map(|uid| &**uid), Some("a"));
        assert_eq!(slots.at(&Place::Tray, 0), None);
    }

    #[test]
    fn compacting_closes_holes_in_order() {
        let (mut slots, node) = (Slots::default(), Place::Node(uid("n")));
        for name in ["a", "b", "c"] {
            slots.put(&uid(name), node.clone());
        }
        slots.remove("b");
        assert_eq!((slots.longest_node(), slots.fullest_node()), (3, 2));
        slots.compact();
        assert_eq!(slots.seat("c"), Some(&(node, 1)));
        assert_eq!(slots.longest_node(), 2);
    }
}
