//! The ground that the cluster stands on: virtual time, one ordered event queue, named streams
//! of seeded randomness, digests that do not depend on the platform, and collections of which a
//! copy is a pointer.
//!
//! It knows nothing of Kubernetes. It must never read a wall clock, draw from an unseeded
//! source, or put a `usize` into anything that is hashed.

mod digest;
mod list;
mod ordered;
mod queue;
mod small;
mod sort;
mod stream;
mod time;

pub use digest::{Digest, Digestible, Fingerprint};
pub use list::{List, ListIter};
pub use ordered::{OrdMap, OrdMapIntoIter, OrdMapIter, OrdSet, OrdSetIntoIter, Value};
pub use queue::{EventQueue, Scheduled};
pub use small::{SmallEntry, SmallMap, SmallMapIter, SmallMapIterMut, SmallSet};
pub use sort::Sort;
pub use stream::{Stream, Streams};
pub use time::{Clock, Duration, Time};
