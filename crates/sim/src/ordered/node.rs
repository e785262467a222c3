//! The nodes of a tree whose leaves are all equally deep.

use std::borrow::Borrow;
use std::ops::Bound;
use std::slice;
use std::sync::Arc;

/// How many items or children a node has at most.
const WIDTH: usize = 32;
/// A node with fewer is joined with a neighbour when both together are half full.
const NARROW: usize = WIDTH / 4;

/// A child of a branch.
type Child<K, V> = (K, Arc<Node<K, V>>);

/// No node is empty, but the root may be an empty leaf.
#[derive(Clone)]
pub(super) enum Node<K, V> {
    /// Items in the order of their keys.
    Leaf(Vec<(K, V)>),
    /// Children, each with a key that is not above any of its own and above all before it. The
    /// first's says nothing.
    Branch(Vec<Child<K, V>>),
}

/// The child of a branch that holds a key if any does.
fn child<K: Borrow<Q>, Q: Ord + ?Sized, N>(children: &[(K, N)], key: &Q) -> usize {
    children.partition_point(|(least, _)| least.borrow() <= key).saturating_sub(1)
}

impl<K, V> Node<K, V> {
    pub(super) fn get<Q: Ord + ?Sized>(&self, key: &Q) -> Option<&(K, V)>
    where
        K: Borrow<Q>,
    {
        let mut node = self;
        loop {
            match node {
                Node::Leaf(items) => {
                    let place = items.binary_search_by(|(other, _)| other.borrow().cmp(key));
                    return place.ok().map(|place| &items[place]);
                }
                Node::Branch(children) => node = &children[child(children, key)].1,
            }
        }
    }

    pub(super) fn first(&self) -> Option<&(K, V)> {
        let mut node = self;
        loop {
            match node {
                Node::Leaf(items) => return items.first(),
                Node::Branch(children) => node = &children[0].1,
            }
        }
    }

    fn len(&self) -> usize {
        match self {
            Node::Leaf(items) => items.len(),
            Node::Branch(children) => children.len(),
        }
    }
}

impl<K: Clone, V: Clone> Node<K, V> {
    pub(super) fn get_mut<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        match self {
            Node::Leaf(items) => {
                let place = items.binary_search_by(|(other, _)| other.borrow().cmp(key));
                place.ok().map(|place| &mut items[place].1)
            }
            Node::Branch(children) => {
                let place = child(children, key);
                Arc::make_mut(&mut children[place].1).get_mut(key)
            }
        }
    }

    pub(super) fn change_all(&mut self, change: &mut dyn FnMut(&K, &mut V)) {
        match self {
            Node::Leaf(items) => items.iter_mut().for_each(|(key, value)| change(key, value)),
            Node::Branch(children) => {
                children.iter_mut().for_each(|(_, node)| Arc::make_mut(node).change_all(change));
            }
        }
    }

    /// Puts an item in. Gives what was under its key, and the second half of this node when it
    /// was full, with a key for it.
    pub(super) fn insert(&mut self, key: K, value: V) -> (Option<V>, Option<Child<K, V>>)
    where
        K: Ord,
    {
        match self {
            Node::Leaf(items) => match items.binary_search_by(|(other, _)| other.cmp(&key)) {
                Ok(place) => (Some(std::mem::replace(&mut items[place].1, value)), None),
                Err(place) => {
                    items.insert(place, (key, value));
                    let half = half(items).map(|half| (half[0].0.clone(), Node::Leaf(half)));
                    (None, half.map(|(least, half)| (least, Arc::new(half))))
                }
            },
            Node::Branch(children) => {
                let place = child(children, &key);
                let (old, new) = Arc::make_mut(&mut children[place].1).insert(key, value);
                let Some(new) = new else { return (old, None) };
                children.insert(place + 1, new);
                let half = half(children).map(|half| (half[0].0.clone(), Node::Branch(half)));
                (old, half.map(|(least, half)| (least, Arc::new(half))))
            }
        }
    }

    /// Takes out an item that is there.
    pub(super) fn remove<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<(K, V)>
    where
        K: Borrow<Q>,
    {
        match self {
            Node::Leaf(items) => {
                let place = items.binary_search_by(|(other, _)| other.borrow().cmp(key));
                place.ok().map(|place| items.remove(place))
            }
            Node::Branch(children) => {
                let place = child(children, key);
                let found = Arc::make_mut(&mut children[place].1).remove(key);
                match children[place].1.len() {
                    0 => drop(children.remove(place)),
                    1..NARROW if place > 0 => join(children, place - 1),
                    1..NARROW => join(children, place),
                    _ => {}
                }
                found
            }
        }
    }
}

/// The second half of what is too long. What grew at its end stays long: it will not grow again.
fn half<T>(items: &mut Vec<T>) -> Option<Vec<T>> {
    (items.len() > WIDTH).then(|| items.split_off(WIDTH - NARROW))
}

/// Makes one of two neighbours that are half full together.
fn join<K: Clone, V: Clone>(children: &mut Vec<Child<K, V>>, place: usize) {
    let next = place + 1;
    if next >= children.len() || children[place].1.len() + children[next].1.len() > WIDTH / 2 {
        return;
    }
    let (least, right) = children.remove(next);
    match (Arc::make_mut(&mut children[place].1), Arc::unwrap_or_clone(right)) {
        (Node::Leaf(left), Node::Leaf(right)) => left.extend(right),
        (Node::Branch(left), Node::Branch(mut right)) => {
            right[0].0 = least;
            left.extend(right);
        }
        _ => {}
    }
}

/// The items of a tree in order.
pub(super) struct Items<'a, K, V> {
    leaf: slice::Iter<'a, (K, V)>,
    /// What is still to come of each branch around, outermost first.
    branches: Vec<slice::Iter<'a, Child<K, V>>>,
}

impl<'a, K, V> Items<'a, K, V> {
    /// All items.
    pub(super) fn all(node: &'a Node<K, V>) -> Self {
        match node {
            Node::Leaf(items) => Items { leaf: items.iter(), branches: Vec::new() },
            Node::Branch(children) => Items { leaf: [].iter(), branches: vec![children.iter()] },
        }
    }

    /// The items whose keys are not below the bound.
    pub(super) fn from<Q: Ord + ?Sized>(mut node: &'a Node<K, V>, bound: Bound<&Q>) -> Self
    where
        K: Borrow<Q>,
    {
        let mut branches = Vec::new();
        loop {
            match node {
                Node::Leaf(items) => {
                    let start = match bound {
                        Bound::Unbounded => 0,
                        Bound::Included(key) => items.partition_point(|it| it.0.borrow() < key),
                        Bound::Excluded(key) => items.partition_point(|it| it.0.borrow() <= key),
                    };
                    return Items { leaf: items[start..].iter(), branches };
                }
                Node::Branch(children) => {
                    let place = match bound {
                        Bound::Unbounded => 0,
                        Bound::Included(key) | Bound::Excluded(key) => child(children, key),
                    };
                    branches.push(children[place + 1..].iter());
                    node = &children[place].1;
                }
            }
        }
    }
}

impl<'a, K, V> Iterator for Items<'a, K, V> {
    type Item = &'a (K, V);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(item) = self.leaf.next() {
                return Some(item);
            }
            match self.branches.last_mut()?.next().map(|(_, node)| &**node) {
                None => drop(self.branches.pop()),
                Some(Node::Leaf(items)) => self.leaf = items.iter(),
                Some(Node::Branch(children)) => self.branches.push(children.iter()),
            }
        }
    }
}
