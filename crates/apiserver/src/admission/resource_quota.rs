//! ResourceQuotas: what a namespace may use of everything that is limited.
//!
//! Upstream: staging/src/k8s.io/apiserver/pkg/admission/plugin/resourcequota/controller.go

use api::openapi::api::core::v1::{Pod, ResourceQuota};
use api::quantity::Amount;
use api::{KindId, Object, Status};
use component_helpers::quota::{self, Usage};

use super::{AdmissionPlugin, Attributes, View};
use crate::{Subresource, Verb};

pub(super) struct ResourceQuotaPlugin;

impl AdmissionPlugin for ResourceQuotaPlugin {
    fn name(&self) -> &'static str {
        "ResourceQuota"
    }

    /// Upstream: CheckRequest.
    fn validate(
        &self,
        request: &Attributes<'_>,
        object: Option<&Object>,
        view: &View<'_>,
    ) -> Result<(), Status> {
        let Some(object) = object.filter(|_| is_handled(request)) else { return Ok(()) };
        let all = view.list(KindId::RESOURCE_QUOTA);
        let mut matching = Vec::new();
        for stored in all.in_namespace(request.namespace) {
            let Some(found) = stored.get::<ResourceQuota>() else { continue };
            let status = found.status.clone().unwrap_or_default();
            let hard = quota::read(status.hard.as_ref());
            let limited: Vec<&str> = hard
                .keys()
                .map(String::as_str)
                .filter(|name| quota::counts_for(object.kind(), name))
                .collect();
            if limited.is_empty() || !quota::matches_scopes(found, object) {
                continue;
            }
            let name = found.metadata.name.as_deref().unwrap_or_default();
            let unsaid = object.get::<Pod>().and_then(|pod| quota::unsaid(pod, &limited));
            if let Some(unsaid) = unsaid.filter(|_| request.verb == Verb::Create) {
                let words = format!("failed quota: {name}: {unsaid}");
                return Err(request.forbidden(Some(object), &words));
            }
            let used = quota::read(status.used.as_ref());
            if limited.iter().any(|name| !used.contains_key(*name)) {
                let words =
                    format!("status unknown for quota: {name}, resources: {}", limited.join(","));
                return Err(request.forbidden(Some(object), &words));
            }
            matching.push((found.clone(), hard, used));
        }
        if matching.is_empty() {
            return Ok(());
        }
        let delta = delta(request, object, view);
        if delta.is_empty() {
            return Ok(());
        }
        for (mut found, hard, used) in matching {
            let name = found.metadata.name.clone().unwrap_or_default();
            let charged = charge(&name, &delta, &hard, &used)
                .map_err(|words| request.forbidden(Some(object), &words))?;
            if let Some(charged) = charged {
                found.status.get_or_insert_default().used = Some(quota::write(&charged));
                view.charge(Object::new(found));
            }
        }
        Ok(())
    }
}

/// What may use more than before. Upstream: the evaluators' Handles.
fn is_handled(request: &Attributes<'_>) -> bool {
    let kind = request.kind.id;
    request.subresource == Subresource::None
        && kind != KindId::EVENT
        && match request.verb {
            Verb::Create => true,
            Verb::Update => matches!(kind, KindId::SERVICE | KindId::PERSISTENT_VOLUME_CLAIM),
            _ => false,
        }
}

/// What the request uses beyond what was used before.
fn delta(request: &Attributes<'_>, object: &Object, view: &View<'_>) -> Usage {
    let now = view.timestamp();
    let before = request.old.map(|old| quota::usage(old, now)).unwrap_or_default();
    let mut delta = Usage::new();
    for (name, quantity) in &quota::usage(object, now) {
        let more = match before.get(name) {
            Some(before) => quantity.minus(before),
            None => quantity.clone(),
        };
        if more.amount() > Amount::ZERO {
            delta.insert(name.clone(), more);
        }
    }
    delta
}

/// What is used afterwards, when the quota is about any of it.
fn charge(name: &str, delta: &Usage, hard: &Usage, used: &Usage) -> Result<Option<Usage>, String> {
    let is_limited = |(name, _): &(&String, &api::quantity::Quantity)| hard.contains_key(*name);
    let requested: Usage = delta
        .iter()
        .filter(is_limited)
        .map(|(name, quantity)| (name.clone(), quantity.clone()))
        .collect();
    if requested.is_empty() {
        return Ok(None);
    }
    let mut after = used.clone();
    quota::add(&mut after, &requested);
    let exceeds = |name: &str| {
        let (after, hard) = (after.get(name), hard.get(name));
        after.zip(hard).is_some_and(|(after, hard)| after.amount() > hard.amount())
    };
    let exceeded: Vec<&String> = requested.keys().filter(|name| exceeds(name)).collect();
    if exceeded.is_empty() {
        return Ok(Some(after));
    }
    let shown = |list: &Usage| {
        let parts = exceeded.iter().filter_map(|name| {
            list.get(name.as_str()).map(|quantity| format!("{name}={quantity}"))
        });
        parts.collect::<Vec<_>>().join(",")
    };
    Err(format!(
        "exceeded quota: {name}, requested: {}, used: {}, limited: {}",
        shown(&requested),
        shown(used),
        shown(hard)
    ))
}
