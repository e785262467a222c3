//! Ports of the nodes, drawn at random from the upper part of the range first.
//!
//! Upstream: pkg/registry/core/service/portallocator

use api::field::{Error, Path};
use api::openapi::api::core::v1::{ServicePort, ServiceSpec};
use api::services::{needs_health_check, needs_node_port, service_type};
use sim::{SmallMap, SmallSet};

use super::{Allocations, Refusal};

/// kube-apiserver's `--service-node-port-range`.
const FIRST: i32 = 30_000;
const LAST: i32 = 32_767;
/// How many ports are left to those that ask for one: a thirty-second of the range, but between
/// 16 and 128. Upstream: calculateRangeOffset.
const RESERVED: i32 = 86;

/// The ports that one request takes.
struct Taking<'a> {
    allocations: &'a mut Allocations,
    taken: SmallSet<i32>,
    dry_run: bool,
}

impl Taking<'_> {
    fn is_taken(&self, port: i32) -> bool {
        self.allocations.ports.contains(&port) || self.taken.contains(&port)
    }

    /// Upstream: PortAllocationOperation.Allocate.
    fn take(&mut self, port: i32) -> Result<(), String> {
        if self.is_taken(port) {
            return Err("provided port is already allocated".to_string());
        }
        if !self.dry_run && !(FIRST..=LAST).contains(&port) {
            return Err(format!(
                "provided port is not in the valid range. The range of valid ports is \
                 {FIRST}-{LAST}"
            ));
        }
        self.taken.insert(port);
        Ok(())
    }

    /// Upstream: PortAllocationOperation.AllocateNext.
    fn next(&mut self) -> Result<i32, String> {
        let port = if self.dry_run {
            // Nothing is looked for: the port would be stale at once.
            Some(self.taken.last().map_or(LAST + 2, |last| last + 1))
        } else {
            self.free(FIRST + RESERVED, LAST).or_else(|| self.free(FIRST, FIRST + RESERVED - 1))
        };
        let port = port.ok_or_else(|| "range is full".to_string())?;
        self.taken.insert(port);
        Ok(port)
    }

    fn free(&mut self, first: i32, last: i32) -> Option<i32> {
        let size = u64::try_from(last - first + 1).unwrap_or(0);
        let draw = self.allocations.draws.ports.below(size);
        let start = first + i32::try_from(draw).unwrap_or(0);
        (start..=last).chain(first..start).find(|port| !self.is_taken(*port))
    }

    fn next_node_port(&mut self) -> Result<i32, Refusal> {
        let failed = |why| Refusal::Internal(format!("failed to allocate a nodePort: {why}"));
        self.next().map_err(failed)
    }

    fn take_node_port(&mut self, port: i32, index: usize) -> Result<(), Refusal> {
        self.take(port).map_err(|why| {
            let path = Path::new("spec").child("ports").index(index).child("nodePort");
            Refusal::Invalid(vec![Error::invalid(&path, port, why)])
        })
    }
}

fn node_port(port: &ServicePort) -> Option<i32> {
    port.node_port.filter(|number| *number != 0)
}

/// Whether a Service gets ports that it does not ask for. Upstream: shouldAllocateNodePorts.
fn gets_ports(spec: &ServiceSpec) -> bool {
    match service_type(spec) {
        "NodePort" => true,
        "LoadBalancer" => spec.allocate_load_balancer_node_ports.unwrap_or(true),
        _ => false,
    }
}

impl Allocations {
    /// Upstream: txnAllocNodePorts and txnUpdateNodePorts.
    pub(super) fn give_ports(
        &mut self,
        new: &mut ServiceSpec,
        old: Option<&ServiceSpec>,
        dry_run: bool,
    ) -> Result<(), Refusal> {
        let mut taking = Taking { allocations: self, taken: SmallSet::new(), dry_run };
        if needs_node_port(new) {
            match old {
                None => init(new, &mut taking)?,
                Some(old) => update(new, old, &mut taking)?,
            }
        }
        if needs_health_check(new) && !old.is_some_and(needs_health_check) {
            health_check(new, &mut taking).map_err(Refusal::Internal)?;
        }
        Ok(())
    }
}

/// One port of the nodes for each number of a port: two protocols share it.
/// Upstream: initNodePorts.
fn init(spec: &mut ServiceSpec, taking: &mut Taking<'_>) -> Result<(), Refusal> {
    let gets = gets_ports(spec);
    let asked: Vec<(i32, Option<i32>)> =
        spec.ports.iter().flatten().map(|port| (port.port, node_port(port))).collect();
    let mut by_port: SmallMap<i32, i32> = SmallMap::new();
    for (index, port) in spec.ports.iter_mut().flatten().enumerate() {
        if node_port(port).is_none() && !gets {
            continue;
        }
        match (by_port.get(&port.port).copied(), node_port(port)) {
            (Some(given), None) => port.node_port = Some(given),
            (Some(given), Some(own)) if own == given => {}
            (Some(_), Some(own)) => taking.take_node_port(own, index)?,
            (None, _) => {
                let same = asked.iter().filter(|(number, _)| *number == port.port);
                let number = match same.filter_map(|(_, node_port)| *node_port).next() {
                    Some(wanted) => {
                        taking.take_node_port(wanted, index)?;
                        wanted
                    }
                    None => taking.next_node_port()?,
                };
                port.node_port = Some(number);
                by_port.insert(port.port, number);
            }
        }
    }
    Ok(())
}

/// Upstream: updateNodePorts.
fn update(
    new: &mut ServiceSpec,
    old: &ServiceSpec,
    taking: &mut Taking<'_>,
) -> Result<(), Refusal> {
    let gets = gets_ports(new);
    let had: SmallSet<i32> = old.ports.iter().flatten().filter_map(node_port).collect();
    let mut asked = SmallSet::new();
    let mut seen = SmallSet::new();
    for (index, port) in new.ports.iter_mut().flatten().enumerate() {
        let number = match node_port(port) {
            None if !gets => continue,
            None => taking.next_node_port()?,
            Some(own) => {
                if !had.contains(&own) && asked.insert(own) {
                    taking.take_node_port(own, index)?;
                }
                own
            }
        };
        port.node_port = Some(number);
        let protocol = port.protocol.clone().unwrap_or_default();
        let words = format!("duplicate nodePort: {{{protocol} {number}}}");
        if !seen.insert((protocol, number)) {
            return Err(Refusal::Unknown(words));
        }
    }
    Ok(())
}

/// Upstream: allocHealthCheckNodePort.
fn health_check(spec: &mut ServiceSpec, taking: &mut Taking<'_>) -> Result<(), String> {
    match spec.health_check_node_port.filter(|port| *port != 0) {
        Some(wanted) => taking.take(wanted).map_err(|why| {
            format!("failed to allocate requested HealthCheck NodePort {wanted}: {why}")
        }),
        None => {
            let port = taking
                .next()
                .map_err(|why| format!("failed to allocate a HealthCheck NodePort 0: {why}"))?;
            spec.health_check_node_port = Some(port);
            Ok(())
        }
    }
}

/// Gives ports of a changed Service, by their names, the ports of the nodes that they had.
/// Upstream: patchAllocatedValues.
pub(super) fn patch(new: &mut ServiceSpec, old: &ServiceSpec) {
    let used = |spec: &ServiceSpec| -> SmallSet<i32> {
        spec.ports.iter().flatten().filter_map(node_port).collect()
    };
    let mut taken: SmallSet<i32> = used(old).intersection(&used(new)).copied().collect();
    let by_name: SmallMap<&str, i32> = old
        .ports
        .iter()
        .flatten()
        .map(|port| (port.name.as_deref().unwrap_or_default(), port.node_port.unwrap_or(0)))
        .collect();
    for port in new.ports.iter_mut().flatten().filter(|port| node_port(port).is_none()) {
        let name = port.name.as_deref().unwrap_or_default();
        let before = by_name.get(name).copied().unwrap_or(0);
        if before != 0 && taken.insert(before) {
            port.node_port = Some(before);
        }
    }
}
