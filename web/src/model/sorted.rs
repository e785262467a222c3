//! A map from ids to anything, as one sorted list. The page's tables are read far more often
//! than written, and copied whole when a view still holds the old one: a list is the smaller and
//! quicker way, in code that is downloaded as well as in memory.

use std::rc::Rc;

/// Values by their ids, in the ids' order.
#[derive(Clone, Debug)]
pub struct Sorted<V>(Vec<(Rc<str>, V)>);

impl<V> Default for Sorted<V> {
    fn default() -> Self {
        Sorted(Vec::new())
    }
}

impl<V> Sorted<V> {
    fn find(&self, id: &str) -> Result<usize, usize> {
        self.0.binary_search_by(|(other, _)| (**other).cmp(id))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The value of an id.
    pub fn get(&self, id: &str) -> Option<&V> {
        self.entry(id).map(|(_, value)| value)
    }

    /// An id as it is held, and its value.
    pub fn entry(&self, id: &str) -> Option<(&Rc<str>, &V)> {
        let (id, value) = &self.0[self.find(id).ok()?];
        Some((id, value))
    }

    /// The value of an id, to change.
    pub fn get_mut(&mut self, id: &str) -> Option<&mut V> {
        let index = self.find(id).ok()?;
        Some(&mut self.0[index].1)
    }

    /// Whether the id is there.
    pub fn contains(&self, id: &str) -> bool {
        self.find(id).is_ok()
    }

    /// Sets the value of an id.
    pub fn put(&mut self, id: Rc<str>, value: V) {
        match self.find(&id) {
            Ok(index) => self.0[index].1 = value,
            Err(index) => self.0.insert(index, (id, value)),
        }
    }

    /// Takes an id out.
    pub fn remove(&mut self, id: &str) -> Option<V> {
        let index = self.find(id).ok()?;
        Some(self.0.remove(index).1)
    }

    /// All ids.
    pub fn keys(&self) -> impl Iterator<Item = &Rc<str>> {
        self.0.iter().map(|(id, _)| id)
    }

    /// All values.
    pub fn values(&self) -> impl Iterator<Item = &V> {
        self.0.iter().map(|(_, value)| value)
    }

    /// All values, to change.
    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut V> {
        self.0.iter_mut().map(|(_, value)| value)
    }

    /// All of both.
    pub fn iter(&self) -> impl Iterator<Item = (&Rc<str>, &V)> {
        self.0.iter().map(|(id, value)| (id, value))
    }

    /// All of both, the values to change.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (&Rc<str>, &mut V)> {
        self.0.iter_mut().map(|(id, value)| (&*id, value))
    }
}

/// Puts things in the order of a text that each has. One sort for all types.
pub fn ordered<T>(things: Vec<T>, key: impl Fn(&T) -> String) -> Vec<T> {
    let mut keys: Vec<(String, usize)> = things.iter().map(key).zip(0..).collect();
    keys.sort_unstable();
    let mut things: Vec<Option<T>> = things.into_iter().map(Some).collect();
    keys.into_iter().filter_map(|(_, index)| things[index].take()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_found_changed_and_removed_in_order() {
        let mut map = Sorted::default();
        for (id, value) in [("b", 2), ("a", 1), ("c", 3), ("b", 20)] {
            map.put(Rc::from(id), value);
        }
        assert_eq!(
            map.iter().map(|(id, value)| (&**id, *value)).collect::<Vec<_>>(),
            [("a", 1), ("b", 20), ("c", 3)]
        );
        *map.get_mut("a").unwrap() = 10;
        assert_eq!((map.get("a"), map.get("x")), (Some(&10), None));
        assert_eq!((map.remove("b"), map.remove("b")), (Some(20), None));
        assert!(map.contains("c") && !map.contains("b"));
        assert_eq!(map.len(), 2);
    }

    #[test]
    fn things_are_ordered_by_their_text_and_equals_keep_their_order() {
        let things = vec![("b", 1), ("a", 2), ("b", 3), ("a", 4)];
        let want = [("a", 2), ("a", 4), ("b", 1), ("b", 3)];
        assert_eq!(ordered(things, |thing| thing.0.to_owned()), want);
    }
}
