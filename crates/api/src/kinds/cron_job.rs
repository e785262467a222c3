//! CronJobs: what the API server knows of them.

use jiff::Timestamp;
use k8s_openapi::api::batch::v1::{CronJob, CronJobStatus};

use super::printing;
use crate::field::ErrorList;
use crate::kind::keep;
use crate::{Cell, Column, Scope, Strategy, defaults, validation};

/// The strategy of CronJobs. Upstream: pkg/registry/batch/cronjob/strategy.go
pub struct CronJobs;

const COLUMNS: &[Column] = &[
    Column::NAME,
    Column::string("Schedule"),
    Column::string("Timezone"),
    Column { column_type: "boolean", ..Column::string("Suspend") },
    Column::integer("Active"),
    Column::string("Last Schedule"),
    Column::AGE,
    Column::string("Containers").wide(),
    Column::string("Images").wide(),
    Column::string("Selector").wide(),
];

impl Strategy for CronJobs {
    type Object = CronJob;
    const SCOPE: Scope = Scope::Namespaced;
    const SINGULAR: &'static str = "cronjob";
    const SHORT_NAMES: &'static [&'static str] = &["cj"];
    const CATEGORIES: &'static [&'static str] = &["all"];
    const SUBRESOURCES: &'static [&'static str] = &["status"];
    const HAS_GENERATION: bool = true;

    fn default(object: &mut CronJob) {
        defaults::cron_job(object);
    }

    fn prepare_for_create(object: &mut CronJob) {
        object.status = Some(CronJobStatus::default());
        drop_disabled(object);
    }

    fn prepare_for_update(new: &mut CronJob, old: &CronJob) {
        keep(&mut new.status, &old.status);
        drop_disabled(new);
    }

    fn prepare_for_status_update(new: &mut CronJob, old: &CronJob) {
        keep(&mut new.spec, &old.spec);
    }

    fn spec_changed(new: &CronJob, old: &CronJob) -> bool {
        new.spec != old.spec
    }

    fn validate(object: &CronJob) -> ErrorList {
        validation::cron_job(object)
    }

    fn validate_update(new: &CronJob, old: &CronJob) -> ErrorList {
        validation::cron_job_update(new, old)
    }

    fn columns() -> &'static [Column] {
        COLUMNS
    }

    fn row(object: &CronJob, now: Timestamp) -> Vec<Cell> {
        let spec = object.spec.clone();
        let status = object.status.clone().unwrap_or_default();
        let last = status.last_schedule_time.as_ref();
        let job = spec.job_template.spec.unwrap_or_default();
        let template = job.template.spec.as_ref();
        let containers = template.map_or(&[][..], |spec| &spec.containers);
        let [names, images] = printing::container_cells(containers);
        let selector = job.selector.as_ref();
        let active = status.active.map_or(0, |active| active.len());
        vec![
            printing::name(&object.metadata),
            spec.schedule.into(),
            printing::or_none(spec.time_zone.as_deref()).into(),
            if spec.suspend.unwrap_or(false) { "True" } else { "False" }.into(),
            Cell::Integer(i64::try_from(active).unwrap_or(i64::MAX)),
            last.map_or("<none>".to_string(), |last| printing::since(Some(last.0), now)).into(),
            printing::age(&object.metadata, now),
            names,
            images,
            selector.map_or_else(|| "<none>".to_string(), printing::label_selector).into(),
        ]
    }
}

fn drop_disabled(object: &mut CronJob) {
    object.spec.job_template.spec.iter_mut().for_each(super::job::drop_disabled);
}
