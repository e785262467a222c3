//! What plugins compute once in a scheduling cycle and use for every node.

use std::any::Any;
use std::sync::Arc;

/// The state of one scheduling cycle: what plugins left for themselves, and which of them have
/// nothing to do in it.
#[derive(Clone, Default)]
pub struct CycleState {
    data: Vec<(&'static str, Arc<dyn Any + Send + Sync>)>,
    skip_filter: Vec<&'static str>,
    skip_score: Vec<&'static str>,
}

impl CycleState {
    /// Keeps a value for later in the cycle.
    pub fn write<T: Any + Send + Sync>(&mut self, key: &'static str, value: T) {
        self.data.retain(|(known, _)| *known != key);
        self.data.push((key, Arc::new(value)));
    }

    /// What was kept under the key.
    #[must_use]
    pub fn read<T: Any>(&self, key: &str) -> Option<&T> {
        let (_, value) = self.data.iter().find(|(known, _)| *known == key)?;
        value.downcast_ref::<T>()
    }

    /// Changes what was kept under the key, for this cycle state alone.
    pub fn update<T: Any + Send + Sync + Clone>(
        &mut self,
        key: &'static str,
        change: impl FnOnce(&mut T),
    ) {
        let Some((_, value)) = self.data.iter_mut().find(|(known, _)| *known == key) else {
            return;
        };
        if let Some(own) = Arc::get_mut(value).and_then(|any| any.downcast_mut::<T>()) {
            return change(own);
        }
        let Some(mut copy) = value.downcast_ref::<T>().cloned() else { return };
        change(&mut copy);
        *value = Arc::new(copy);
    }

    /// Leaves the plugin's filter out of this cycle.
    pub(crate) fn skip_filter(&mut self, plugin: &'static str) {
        self.skip_filter.push(plugin);
    }

    /// Leaves the plugin's score out of this cycle.
    pub(crate) fn skip_score(&mut self, plugin: &'static str) {
        self.skip_score.push(plugin);
    }

    /// Whether the plugin's filter is left out.
    #[must_use]
    pub fn skips_filter(&self, plugin: &str) -> bool {
        self.skip_filter.contains(&plugin)
    }

    /// Whether the plugin's score is left out.
    #[must_use]
    pub fn skips_score(&self, plugin: &str) -> bool {
        self.skip_score.contains(&plugin)
    }
}
