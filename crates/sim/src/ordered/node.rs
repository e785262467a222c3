//! The nodes of a tree whose leaves are all equally deep. What they do is compiled for each type
//! of key; the values lie apart, and what is done with them is compiled for each type of value.

use std::any::Any;
use std::borrow::Borrow;
use std::ops::Bound;
use std::slice;
use std::sync::Arc;

use crate::small::place;

/// How many items or children a node has at most.
const WIDTH: usize = 32;
/// A node with fewer is joined with a neighbour when both together are half full.
const NARROW: usize = WIDTH / 4;

/// What a map that changes can hold.
pub trait Value: Clone + Send + Sync + 'static {}

impl<V: Clone + Send + Sync + 'static> Value for V {}

/// The values of a leaf: a vector of them, whatever they are.
pub(super) trait Values: Any + Send + Sync {
    fn copy(&self) -> Box<dyn Values>;
    fn split_off(&mut self, at: usize) -> Box<dyn Values>;
    fn append(&mut self, other: &mut dyn Values);
}

impl<V: Value> Values for Vec<V> {
    fn copy(&self) -> Box<dyn Values> {
        Box::new(self.clone())
    }

    fn split_off(&mut self, at: usize) -> Box<dyn Values> {
        Box::new(self.split_off(at))
    }

    fn append(&mut self, other: &mut dyn Values) {
        self.append(values_mut(other));
    }
}

/// The values as what they are: those of a map are all of one type.
pub(super) fn values<V: 'static>(values: &dyn Values) -> &[V] {
    let values: &dyn Any = values;
    values.downcast_ref::<Vec<V>>().map_or(&[], Vec::as_slice)
}

/// The values as what they are, to change them.
pub(super) fn values_mut<V: 'static>(values: &mut dyn Values) -> &mut Vec<V> {
    let values: &mut dyn Any = values;
    values.downcast_mut().expect("the values of a map are all of one type")
}

/// A new node behind another, with a key that is not above any of its own and above all before.
pub(super) type Half<K> = (K, Node<K>);

/// Puts a value among others: in the place of one, or where there is none.
pub(super) type Put<'p> = dyn FnMut(&mut dyn Values, Result<usize, usize>) + 'p;

/// No node is empty, but the root may be an empty leaf.
pub(super) enum Node<K> {
    /// Keys in their order, and as many values.
    Leaf(Vec<K>, Box<dyn Values>),
    /// Children, each with a key that is not above any of its own and above all before it. The
    /// first's says nothing.
    Branch(Vec<K>, Vec<Arc<Node<K>>>),
}

impl<K: Clone> Clone for Node<K> {
    fn clone(&self) -> Self {
        match self {
            Node::Leaf(keys, values) => Node::Leaf(keys.clone(), values.copy()),
            Node::Branch(least, nodes) => Node::Branch(least.clone(), nodes.clone()),
        }
    }
}

/// The child of a branch that holds a key if any does.
fn child<K: Borrow<Q>, Q: Ord + ?Sized>(least: &[K], key: &Q) -> usize {
    place(least, key).unwrap_or_else(|place| place.saturating_sub(1))
}

impl<K> Node<K> {
    /// The leaf with the key, and the key's place there.
    pub(super) fn find<Q: Ord + ?Sized>(&self, key: &Q) -> Option<(&K, &dyn Values, usize)>
    where
        K: Borrow<Q>,
    {
        let mut node = self;
        loop {
            match node {
                Node::Leaf(keys, values) => {
                    let place = place(keys, key).ok()?;
                    return Some((&keys[place], &**values, place));
                }
                Node::Branch(least, nodes) => node = &nodes[child(least, key)],
            }
        }
    }

    /// The first leaf.
    pub(super) fn first(&self) -> (&[K], &dyn Values) {
        let mut node = self;
        loop {
            match node {
                Node::Leaf(keys, values) => return (keys, &**values),
                Node::Branch(_, nodes) => node = &nodes[0],
            }
        }
    }

    /// The only child of a branch that has no other.
    pub(super) fn only_child(&self) -> Option<&Arc<Node<K>>> {
        match self {
            Node::Branch(_, nodes) if nodes.len() == 1 => nodes.first(),
            _ => None,
        }
    }

    fn len(&self) -> usize {
        match self {
            Node::Leaf(keys, _) | Node::Branch(keys, _) => keys.len(),
        }
    }
}

impl<K: Clone> Node<K> {
    /// The values of the leaf with a key that is there, and the key's place, to change it.
    pub(super) fn find_mut<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<(&mut dyn Values, usize)>
    where
        K: Borrow<Q>,
    {
        match self {
            Node::Leaf(keys, values) => place(keys, key).ok().map(|place| (&mut **values, place)),
            Node::Branch(least, nodes) => {
                Arc::make_mut(&mut nodes[child(least, key)]).find_mut(key)
            }
        }
    }

    /// Gives every leaf to `change`.
    pub(super) fn change_all(&mut self, change: &mut dyn FnMut(&[K], &mut dyn Values)) {
        match self {
            Node::Leaf(keys, values) => change(keys, &mut **values),
            Node::Branch(_, nodes) => {
                nodes.iter_mut().for_each(|node| Arc::make_mut(node).change_all(change));
            }
        }
    }

    /// Puts a key in; `put` does so with the value, at the key's place or where it belongs. Gives
    /// the second half of this node when it was full.
    pub(super) fn insert(&mut self, key: K, put: &mut Put<'_>) -> Option<Half<K>>
    where
        K: Ord,
    {
        match self {
            Node::Leaf(keys, values) => {
                let place = place(keys, &key);
                put(&mut **values, place);
                keys.insert(place.err()?, key);
                let half = half(keys)?;
                Some((half[0].clone(), Node::Leaf(half, values.split_off(WIDTH - NARROW))))
            }
            Node::Branch(least, nodes) => {
                let place = child(least, &key);
                let (new, node) = Arc::make_mut(&mut nodes[place]).insert(key, put)?;
                least.insert(place + 1, new);
                nodes.insert(place + 1, Arc::new(node));
                let half = half(least)?;
                Some((half[0].clone(), Node::Branch(half, nodes.split_off(WIDTH - NARROW))))
            }
        }
    }

    /// Takes out a key that is there; `take` does so with the value at its place.
    pub(super) fn remove<Q: Ord + ?Sized>(
        &mut self,
        key: &Q,
        take: &mut dyn FnMut(&mut dyn Values, usize),
    ) -> Option<K>
    where
        K: Borrow<Q>,
    {
        match self {
            Node::Leaf(keys, values) => {
                let place = place(keys, key).ok()?;
                take(&mut **values, place);
                Some(keys.remove(place))
            }
            Node::Branch(least, nodes) => {
                let place = child(least, key);
                let found = Arc::make_mut(&mut nodes[place]).remove(key, take);
                match nodes[place].len() {
                    0 => {
                        least.remove(place);
                        nodes.remove(place);
                    }
                    1..NARROW if place > 0 => join(least, nodes, place - 1),
                    1..NARROW => join(least, nodes, place),
                    _ => {}
                }
                found
            }
        }
    }
}

/// The second half of the keys if they are too many. What grew at its end stays long: it will not
/// grow again.
fn half<K>(keys: &mut Vec<K>) -> Option<Vec<K>> {
    (keys.len() > WIDTH).then(|| keys.split_off(WIDTH - NARROW))
}

/// Makes one of two neighbours that are half full together.
fn join<K: Clone>(least: &mut Vec<K>, nodes: &mut Vec<Arc<Node<K>>>, place: usize) {
    let next = place + 1;
    if next >= nodes.len() || nodes[place].len() + nodes[next].len() > WIDTH / 2 {
        return;
    }
    let (first, mut right) = (least.remove(next), nodes.remove(next));
    match (Arc::make_mut(&mut nodes[place]), Arc::make_mut(&mut right)) {
        (Node::Leaf(keys, values), Node::Leaf(more, behind)) => {
            keys.append(more);
            values.append(&mut **behind);
        }
        (Node::Branch(keys, nodes), Node::Branch(more, behind)) => {
            more[0] = first;
            keys.append(more);
            nodes.append(behind);
        }
        _ => {}
    }
}

/// The leaves of a tree in order.
pub(super) struct Leaves<'a, K> {
    /// What comes first: the keys and values of a leaf.
    leaf: Option<(&'a [K], &'a dyn Values)>,
    /// What is still to come of each branch around, outermost first.
    branches: Vec<slice::Iter<'a, Arc<Node<K>>>>,
}

impl<'a, K> Leaves<'a, K> {
    /// All leaves.
    pub(super) fn all(node: &'a Node<K>) -> Self {
        match node {
            Node::Leaf(keys, values) => {
                Leaves { leaf: Some((keys, &**values)), branches: Vec::new() }
            }
            Node::Branch(_, nodes) => Leaves { leaf: None, branches: vec![nodes.iter()] },
        }
    }

    /// The leaves with the keys that are not below the bound, and how many keys of the first are.
    pub(super) fn from<Q: Ord + ?Sized>(mut node: &'a Node<K>, bound: Bound<&Q>) -> (Self, usize)
    where
        K: Borrow<Q>,
    {
        let mut branches = Vec::new();
        loop {
            match node {
                Node::Leaf(keys, values) => {
                    let start = match bound {
                        Bound::Unbounded => 0,
                        Bound::Included(key) => place(keys, key).unwrap_or_else(|place| place),
                        Bound::Excluded(key) => {
                            place(keys, key).map_or_else(|place| place, |place| place + 1)
                        }
                    };
                    return (Leaves { leaf: Some((keys, &**values)), branches }, start);
                }
                Node::Branch(least, nodes) => {
                    let place = match bound {
                        Bound::Unbounded => 0,
                        Bound::Included(key) | Bound::Excluded(key) => child(least, key),
                    };
                    branches.push(nodes[place + 1..].iter());
                    node = &nodes[place];
                }
            }
        }
    }
}

impl<'a, K> Iterator for Leaves<'a, K> {
    type Item = (&'a [K], &'a dyn Values);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(leaf) = self.leaf.take() {
                return Some(leaf);
            }
            match self.branches.last_mut()?.next().map(|node| &**node) {
                None => drop(self.branches.pop()),
                Some(Node::Leaf(keys, values)) => self.leaf = Some((keys, &**values)),
                Some(Node::Branch(_, nodes)) => self.branches.push(nodes.iter()),
            }
        }
    }
}
