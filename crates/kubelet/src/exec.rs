//! Running a command beside a container's program, and asking the program over the network: what
//! probes and hooks do.
//!
//! Upstream: pkg/probe/{exec,http,tcp,grpc}; pkg/kubelet/lifecycle/handlers.go.

use api::openapi::api::core::v1::{Container, HTTPGetAction, LifecycleHandler};
use api::openapi::apimachinery::pkg::util::intstr::IntOrString;
use client::Context;
use network::{Owner, Sockets};
use runtime::{ContainerLog, Environment, Flow, Io, ProcessEvent, Request, Response};
use sim::Duration;

use crate::actions;
use crate::node::Node;
use crate::pod_worker::PodWorker;

/// How often a command may wait before it is taken to hang.
const MAX_WAITS: u32 = 1000;

/// What came of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Executed {
    /// The exit code; `None` when it was still running when its time was up.
    pub(crate) code: Option<i32>,
    pub(crate) output: String,
    pub(crate) took: Duration,
}

/// The number of a port that is given by number or by name.
pub(crate) fn port_number(container: &Container, port: &IntOrString) -> Option<u16> {
    let name = match port {
        IntOrString::Int(number) => return u16::try_from(*number).ok(),
        IntOrString::String(name) => name,
    };
    let named = container.ports.iter().flatten().find(|p| p.name.as_deref() == Some(name));
    match named {
        Some(port) => u16::try_from(port.container_port).ok(),
        None => name.parse().ok(),
    }
}

impl PodWorker {
    /// Runs a command in a container for at most `limit`. What it does to files happens at once,
    /// however long it takes.
    ///
    /// # Errors
    /// The container runtime's words, when there is no such command.
    pub(crate) fn execute(
        &mut self,
        node: &mut Node,
        cx: &mut Context<'_>,
        place: usize,
        (command, limit): (&[String], Duration),
    ) -> Result<Executed, String> {
        let record = self.containers.get_mut(place);
        let Some(instance) = record.and_then(|r| r.current.as_mut()).filter(|i| i.is_running())
        else {
            return Err("container not running".to_string());
        };
        let environment =
            Environment { argv: command.to_vec(), ..Environment::clone(&instance.environment) };
        let catalogue = node.images.catalogue();
        let mut process = catalogue.start(&instance.image, &environment).map_err(|error| {
            let why = error.message.split("container init: ").last().unwrap_or_default();
            format!(
                "rpc error: code = Unknown desc = failed to exec in container: failed to start \
                 exec: OCI runtime exec failed: exec failed: unable to start container process: \
                 {why}"
            )
        })?;
        let mut log = ContainerLog::new();
        let (begin, mut now) = (cx.now, cx.now);
        let mut event = ProcessEvent::Started;
        let mut code = None;
        instance.files.load(&self.volumes.mounted);
        for _ in 0..MAX_WAITS {
            let mut io = Io {
                now,
                clock: cx.clock,
                environment: &environment,
                files: &mut instance.files,
                log: &mut log,
                network: Sockets {
                    machine: &mut node.network,
                    namespace: instance.namespace,
                    owner: Owner(u64::MAX),
                    now,
                },
                stream: &node.stream,
                cx: cx.reborrow(),
            };
            match process.on(event, &mut io) {
                Flow::Exit(exit) => {
                    code = Some(exit);
                    break;
                }
                Flow::WaitUntil(time) if time <= begin + limit => now = time,
                _ => break,
            }
            event = ProcessEvent::Timer;
        }
        instance.files.store(&mut self.volumes.mounted);
        node.network.close_owner(Owner(u64::MAX), now);
        let took = if code.is_some() { now - begin } else { limit };
        Ok(Executed { code, output: log.text(), took })
    }

    /// Sends a request to a port of the pod. The containers of a pod share its network.
    pub(crate) fn request(
        &mut self,
        node: &mut Node,
        cx: &mut Context<'_>,
        request: &Request<'_>,
    ) -> Option<Response> {
        self.containers.iter_mut().find_map(|record| {
            let instance = record.current.as_mut().filter(|instance| instance.is_running())?;
            instance.serve(request, &mut node.world(cx, &mut self.volumes))
        })
    }

    /// Runs a hook of a container's life cycle for at most `limit`, and says how long it took.
    ///
    /// # Errors
    /// What went wrong, in the kubelet's words.
    pub(crate) fn run_hook(
        &mut self,
        node: &mut Node,
        cx: &mut Context<'_>,
        place: usize,
        (handler, limit): (&LifecycleHandler, Duration),
    ) -> Result<Duration, String> {
        if let Some(action) = &handler.sleep {
            return Ok(Duration::from_api_seconds(action.seconds).min(limit));
        }
        if let Some(action) = &handler.exec {
            let command = action.command.clone().unwrap_or_default();
            let done = self.execute(node, cx, place, (&command, limit))?;
            return match done.code {
                Some(0) | None => Ok(done.took),
                Some(code) => Err(format!(
                    "command '{}' exited with {code}: {}",
                    command.join(" "),
                    done.output
                )),
            };
        }
        let container = actions::containers(&self.pod).nth(place).map(|(_, c)| c.clone());
        match (&handler.http_get, container) {
            (Some(action), Some(container)) => {
                self.http_get(node, cx, &container, action).map(|_| Duration::ZERO)
            }
            _ => Err("invalid handler".to_string()),
        }
    }

    /// Asks for an HTTP page. The answer is the status and the body.
    ///
    /// # Errors
    /// The HTTP client's words, when nobody answers.
    pub(crate) fn http_get(
        &mut self,
        node: &mut Node,
        cx: &mut Context<'_>,
        container: &Container,
        action: &HTTPGetAction,
    ) -> Result<(u16, String), String> {
        let own = self.address.clone().unwrap_or_default();
        let host = action.host.clone().filter(|host| !host.is_empty()).unwrap_or(own);
        let Some(port) = port_number(container, &action.port) else {
            return Err("couldn't find the named port of the container".to_string());
        };
        let scheme = action.scheme.as_deref().unwrap_or("HTTP").to_ascii_lowercase();
        let path = action.path.as_deref().unwrap_or("/");
        let path = if path.starts_with('/') { path.to_string() } else { format!("/{path}") };
        match self.request(node, cx, &Request { port, path: Some(&path) }) {
            Some(response) => Ok((response.status, response.body)),
            None => Err(format!(
                "Get \"{scheme}://{host}:{port}{path}\": dial tcp {host}:{port}: connect: \
                 connection refused"
            )),
        }
    }
}
