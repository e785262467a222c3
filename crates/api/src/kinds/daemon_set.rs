//! DaemonSets: what the API server knows of them.

use jiff::Timestamp;
use k8s_openapi::api::apps::v1::{DaemonSet, DaemonSetStatus};

use super::printing;
use crate::field::ErrorList;
use crate::kind::keep;
use crate::{Cell, Column, Scope, Strategy, defaults, validation};

/// The strategy of DaemonSets. Upstream: pkg/registry/apps/daemonset/strategy.go
pub struct DaemonSets;

const COLUMNS: &[Column] = &[
    Column::NAME,
    Column::integer("Desired"),
    Column::integer("Current"),
    Column::integer("Ready"),
    Column::integer("Up-to-date"),
    Column::integer("Available"),
    Column::string("Node Selector"),
    Column::AGE,
    Column::string("Containers").wide(),
    Column::string("Images").wide(),
    Column::string("Selector").wide(),
];

/// Counts the changes of the template. Upstream: apps.DeprecatedTemplateGeneration.
const ANNOTATION_TEMPLATE_GENERATION: &str = "deprecated.daemonset.template.generation";

impl Strategy for DaemonSets {
    type Object = DaemonSet;
    const SCOPE: Scope = Scope::Namespaced;
    const SINGULAR: &'static str = "daemonset";
    const SHORT_NAMES: &'static [&'static str] = &["ds"];
    const CATEGORIES: &'static [&'static str] = &["all"];
    const SUBRESOURCES: &'static [&'static str] = &["status"];
    const HAS_GENERATION: bool = true;

    fn default(object: &mut DaemonSet) {
        defaults::daemon_set(object);
    }

    fn prepare_for_create(object: &mut DaemonSet) {
        object.status = Some(DaemonSetStatus::default());
        let generation = template_generation(object).max(1);
        set_template_generation(object, generation);
        super::disabled::template(&mut object.spec.template);
    }

    fn prepare_for_update(new: &mut DaemonSet, old: &DaemonSet) {
        keep(&mut new.status, &old.status);
        super::disabled::template(&mut new.spec.template);
        let changed = i64::from(new.spec.template != old.spec.template);
        set_template_generation(new, template_generation(old) + changed);
    }

    fn prepare_for_status_update(new: &mut DaemonSet, old: &DaemonSet) {
        keep(&mut new.spec, &old.spec);
        set_template_generation(new, template_generation(old));
    }

    fn spec_changed(new: &DaemonSet, old: &DaemonSet) -> bool {
        new.spec != old.spec
    }

    fn validate(object: &DaemonSet) -> ErrorList {
        validation::daemon_set(object)
    }

    fn validate_update(new: &DaemonSet, old: &DaemonSet) -> ErrorList {
        validation::daemon_set_update(new, old)
    }

    fn validate_status_update(new: &DaemonSet, old: &DaemonSet) -> ErrorList {
        validation::daemon_set_status_update(new, old)
    }

    fn columns() -> &'static [Column] {
        COLUMNS
    }

    fn row(object: &DaemonSet, now: Timestamp) -> Vec<Cell> {
        let status = object.status.clone().unwrap_or_default();
        let template = object.spec.template.spec.as_ref();
        let containers = template.map_or(&[][..], |spec| &spec.containers);
        let [names, images] = printing::container_cells(containers);
        let node_selector = template.and_then(|spec| spec.node_selector.as_ref());
        vec![
            printing::name(&object.metadata),
            status.desired_number_scheduled.into(),
            status.current_number_scheduled.into(),
            status.number_ready.into(),
            status.updated_number_scheduled.unwrap_or_default().into(),
            status.number_available.unwrap_or_default().into(),
            printing::labels(node_selector).into(),
            printing::age(&object.metadata, now),
            names,
            images,
            printing::label_selector(&object.spec.selector).into(),
        ]
    }
}

fn template_generation(object: &DaemonSet) -> i64 {
    let annotations = object.metadata.annotations.as_ref();
    let text = annotations.and_then(|all| all.get(ANNOTATION_TEMPLATE_GENERATION));
    text.and_then(|text| text.parse().ok()).unwrap_or(0)
}

fn set_template_generation(object: &mut DaemonSet, generation: i64) {
    let annotations = object.metadata.annotations.get_or_insert_default();
    annotations.insert(ANNOTATION_TEMPLATE_GENERATION.to_string(), generation.to_string());
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn daemon_set() -> DaemonSet {
        serde_json::from_value(json!({
            "apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": {"name": "test1"},
            "spec": {"selector": {"matchLabels": {"a": "b"}}, "template": {"spec": {
                "nodeSelector": {"foo": "bar"},
                "containers": [{"name": "c1", "image": "i1"}, {"name": "c2", "image": "i2"}]}}},
            "status": {"currentNumberScheduled": 2, "desiredNumberScheduled": 3,
                "numberReady": 1, "numberMisscheduled": 0, "updatedNumberScheduled": 2,
                "numberAvailable": 0},
        }))
        .expect("a DaemonSet")
    }

    /// Upstream: pkg/printers/internalversion/printers_test.go, TestPrintDaemonSet.
    #[test]
    fn print_daemon_set() {
        let row = DaemonSets::row(&daemon_set(), Timestamp::UNIX_EPOCH);
        let cells: Vec<String> = row.iter().map(ToString::to_string).collect();
        let want =
            ["test1", "3", "2", "1", "2", "0", "foo=bar", "<unknown>", "c1,c2", "i1,i2", "a=b"];
        assert_eq!(cells, want);
    }

    /// Upstream: pkg/registry/apps/daemonset/strategy_test.go, the template's generation.
    #[test]
    fn changes_of_the_template_are_counted() {
        let mut old = daemon_set();
        DaemonSets::prepare_for_create(&mut old);
        assert_eq!(template_generation(&old), 1);
        let mut new = old.clone();
        new.spec.min_ready_seconds = Some(5);
        set_template_generation(&mut new, 7);
        DaemonSets::prepare_for_update(&mut new, &old);
        assert_eq!(template_generation(&new), 1);
        new.spec.template.metadata.get_or_insert_default().name = Some("x".to_string());
        DaemonSets::prepare_for_update(&mut new, &old);
        assert_eq!(template_generation(&new), 2);
    }
}
