//! Probes, life cycle handlers, and the actions of both.

use k8s_openapi::api::core::v1::{
    ExecAction, GRPCAction, HTTPGetAction, Lifecycle, LifecycleHandler, Probe, SleepAction,
    TCPSocketAction,
};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::{invalid_each, list, names, non_negative, text};
use crate::field::{Error, ErrorList, Path};

/// The action of a probe or of a life cycle handler.
#[derive(Default)]
struct Handler<'a> {
    exec: Option<&'a ExecAction>,
    http_get: Option<&'a HTTPGetAction>,
    tcp_socket: Option<&'a TCPSocketAction>,
    grpc: Option<&'a GRPCAction>,
    sleep: Option<&'a SleepAction>,
}

impl<'a> Handler<'a> {
    fn of_probe(probe: &'a Probe) -> Self {
        Handler {
            exec: probe.exec.as_ref(),
            http_get: probe.http_get.as_ref(),
            tcp_socket: probe.tcp_socket.as_ref(),
            grpc: probe.grpc.as_ref(),
            sleep: None,
        }
    }

    fn of_lifecycle(handler: &'a LifecycleHandler) -> Self {
        Handler {
            exec: handler.exec.as_ref(),
            http_get: handler.http_get.as_ref(),
            tcp_socket: handler.tcp_socket.as_ref(),
            grpc: None,
            sleep: handler.sleep.as_ref(),
        }
    }

    /// Upstream: validateHandler.
    fn validate(&self, grace: Option<i64>, path: &Path, errors: &mut ErrorList) {
        let mut handlers = 0;
        let mut is_first = |name: &str, errors: &mut ErrorList| {
            handlers += 1;
            if handlers > 1 {
                let message = "may not specify more than 1 handler type";
                errors.push(Error::forbidden(&path.child(name), message));
            }
            handlers == 1
        };
        if let Some(exec) = self.exec
            && is_first("exec", errors)
            && list(&exec.command).is_empty()
        {
            errors.push(Error::required(&path.child("exec").child("command"), ""));
        }
        if let Some(action) = self.http_get
            && is_first("httpGet", errors)
        {
            http_get(action, &path.child("httpGet"), errors);
        }
        if let Some(action) = self.tcp_socket
            && is_first("tcpSocket", errors)
        {
            port(&action.port, &path.child("tcpSocket").child("port"), errors);
        }
        if let Some(action) = self.grpc
            && is_first("grpc", errors)
        {
            let path = path.child("grpc").child("port");
            port(&IntOrString::Int(action.port), &path, errors);
        }
        if let Some(action) = self.sleep
            && is_first("sleep", errors)
        {
            sleep(action, grace, &path.child("sleep"), errors);
        }
        if handlers == 0 {
            errors.push(Error::required(path, "must specify a handler type"));
        }
    }
}

/// Upstream: validateSleepAction.
fn sleep(action: &SleepAction, grace: Option<i64>, path: &Path, errors: &mut ErrorList) {
    let Some(grace) = grace else { return };
    if !(0..=grace).contains(&action.seconds) {
        let message =
            format!("must be non-negative and less than terminationGracePeriodSeconds ({grace})");
        errors.push(Error::invalid(path, action.seconds, message));
    }
}

/// Upstream: validateHTTPGetAction.
fn http_get(action: &HTTPGetAction, path: &Path, errors: &mut ErrorList) {
    super::require(text(&action.path), &path.child("path"), errors);
    port(&action.port, &path.child("port"), errors);
    super::supported(text(&action.scheme), &["HTTP", "HTTPS"], &path.child("scheme"), errors);
    for header in list(&action.http_headers) {
        let messages = names::http_header_name(&header.name);
        invalid_each(messages, &path.child("httpHeaders"), &header.name, errors);
    }
}

/// Upstream: ValidatePortNumOrName.
pub(super) fn port(port: &IntOrString, path: &Path, errors: &mut ErrorList) {
    match port {
        IntOrString::Int(number) => {
            let messages = names::port_number(*number).into_iter();
            errors.extend(messages.map(|message| Error::invalid(path, *number, message)));
        }
        IntOrString::String(name) => invalid_each(names::port_name(name), path, name, errors),
    }
}

/// Upstream: validateLifecycle.
pub(super) fn lifecycle(
    lifecycle: &Lifecycle,
    grace: Option<i64>,
    path: &Path,
    errors: &mut ErrorList,
) {
    if let Some(handler) = &lifecycle.post_start {
        Handler::of_lifecycle(handler).validate(grace, &path.child("postStart"), errors);
    }
    if let Some(handler) = &lifecycle.pre_stop {
        Handler::of_lifecycle(handler).validate(grace, &path.child("preStop"), errors);
    }
}

/// Upstream: validateLivenessProbe and validateStartupProbe.
pub(super) fn liveness_or_startup(
    probe: Option<&Probe>,
    grace: Option<i64>,
    path: &Path,
    errors: &mut ErrorList,
) {
    let Some(probe) = probe else { return };
    validate(probe, grace, path, errors);
    let threshold = probe.success_threshold.unwrap_or_default();
    if threshold != 1 {
        errors.push(Error::invalid(&path.child("successThreshold"), threshold, "must be 1"));
    }
}

/// Upstream: validateReadinessProbe.
pub(super) fn readiness(
    probe: Option<&Probe>,
    grace: Option<i64>,
    path: &Path,
    errors: &mut ErrorList,
) {
    let Some(probe) = probe else { return };
    validate(probe, grace, path, errors);
    if let Some(seconds) = probe.termination_grace_period_seconds {
        let path = path.child("terminationGracePeriodSeconds");
        errors.push(Error::invalid(&path, seconds, "must not be set for readinessProbes"));
    }
}

/// Upstream: validateProbe.
fn validate(probe: &Probe, grace: Option<i64>, path: &Path, errors: &mut ErrorList) {
    Handler::of_probe(probe).validate(grace, path, errors);
    for (name, value) in [
        ("initialDelaySeconds", probe.initial_delay_seconds),
        ("timeoutSeconds", probe.timeout_seconds),
        ("periodSeconds", probe.period_seconds),
        ("successThreshold", probe.success_threshold),
        ("failureThreshold", probe.failure_threshold),
    ] {
        non_negative(i64::from(value.unwrap_or_default()), &path.child(name), errors);
    }
    if let Some(seconds) = probe.termination_grace_period_seconds.filter(|seconds| *seconds <= 0) {
        let path = path.child("terminationGracePeriodSeconds");
        errors.push(Error::invalid(&path, seconds, "must be greater than 0"));
    }
}
