//! What programs that set rules call: `iptables-restore`, `iptables-save`, `conntrack`.

use sim::Time;

use crate::{FlowView, Machine, NamespaceId, RestoreError, Rule, TableName, TableUpdate};

impl Machine {
    /// `iptables-restore`: takes a text in. With `noflush` only the chains that it declares are
    /// emptied; otherwise the tables that it names are. All of it takes effect, or nothing.
    ///
    /// # Errors
    /// The text is malformed, or names a chain that is not there.
    pub fn restore(
        &mut self,
        namespace: NamespaceId,
        text: &str,
        noflush: bool,
    ) -> Result<(), RestoreError> {
        self.history.digest_of(&text);
        self.filter_mut(namespace).restore(text, noflush)
    }

    /// The same for changes that are typed already.
    ///
    /// # Errors
    /// A chain is not there.
    pub fn update_tables(
        &mut self,
        namespace: NamespaceId,
        updates: Vec<TableUpdate>,
        noflush: bool,
    ) -> Result<(), RestoreError> {
        // Who sets rules does so from state of its own that is in a digest, so that it is enough
        // to say here that it was done, and how much.
        self.history.note(16, updates.len() as u64);
        for update in &updates {
            self.history.note(update.table as u64, update.operations.len() as u64);
        }
        self.filter_mut(namespace).update(updates, noflush)
    }

    /// `iptables-save`: one table, or all, as text; with counters if asked.
    #[must_use]
    pub fn save(&self, namespace: NamespaceId, table: Option<TableName>, counters: bool) -> String {
        let mut text = String::new();
        if let Some(filter) = self.filter(namespace) {
            let tables = TableName::ALL.into_iter();
            for name in tables.filter(|name| table.is_none_or(|wanted| wanted == *name)) {
                filter.table(name).save(counters, &mut text);
            }
        }
        text
    }

    /// `iptables --check`: whether a chain has a rule.
    #[must_use]
    pub fn has_rule(
        &self,
        namespace: NamespaceId,
        table: TableName,
        chain: &str,
        rule: &Rule,
    ) -> bool {
        self.filter(namespace).is_some_and(|filter| filter.table(table).has_rule(chain, rule))
    }

    /// Whether a table has a chain.
    #[must_use]
    pub fn has_chain(&self, namespace: NamespaceId, table: TableName, chain: &str) -> bool {
        self.filter(namespace).is_some_and(|filter| filter.table(table).has_chain(chain))
    }

    /// `conntrack -L`: the connections that are remembered.
    #[must_use]
    pub fn flows(&self, namespace: NamespaceId, now: Time) -> Vec<FlowView> {
        let filter = self.filter(namespace);
        let flows = filter.map(|filter| filter.conntrack.views(now).map(|(_, view)| view));
        flows.into_iter().flatten().collect()
    }

    /// `conntrack -D`: forgets connections; says how many.
    pub fn delete_flows(
        &mut self,
        namespace: NamespaceId,
        now: Time,
        which: impl Fn(&FlowView) -> bool,
    ) -> u64 {
        let Some(filter) = self.filter(namespace) else { return 0 };
        let gone = filter.conntrack.views(now).filter(|(_, view)| which(view));
        let gone: Vec<u64> = gone.map(|(id, _)| id).collect();
        self.history.note(17, gone.len() as u64);
        for id in &gone {
            self.history.note(17, *id);
            self.filter_mut(namespace).conntrack.delete(*id);
        }
        gone.len() as u64
    }
}
