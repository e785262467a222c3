//! Requests to a Service, from a pod that sends them at a steady rate.

use protocol::{Command, ObjectRef, ServiceRow};
use wasm_bindgen::JsCast;
use web_sys::HtmlSelectElement;
use yew::prelude::*;

use super::Intent;
use super::parts::{say, when};
use crate::strings::Strings;

/// Requests in a second.
const RATES: [u32; 4] = [1, 5, 20, 100];

/// The pod that sends requests to a Service.
pub fn sender(service: &ServiceRow) -> ObjectRef {
    ObjectRef {
        api_version: "v1".into(),
        kind: "Pod".into(),
        namespace: service.namespace.clone(),
        name: format!("traffic-{}", service.name),
    }
}

/// The first of a Service's ports; none if it has none.
fn port(service: &ServiceRow) -> Option<&str> {
    let digits = service.ports.split(|it: char| !it.is_ascii_digit()).next();
    digits.filter(|digits| !digits.is_empty())
}

/// The manifest of the sender.
fn manifest(service: &ServiceRow, rate: u32) -> Option<String> {
    let ServiceRow { namespace, name, .. } = service;
    let (sender, port) = (sender(service).name, port(service)?);
    let pause = match 1000 / rate.max(1) {
        1000 => "1".to_owned(),
        milliseconds => format!("0.{milliseconds:03}"),
    };
    Some(format!(
        "apiVersion: v1
kind: Pod
metadata:
  name: \"{sender}\"
  namespace: \"{namespace}\"
spec:
  terminationGracePeriodSeconds: 1
  containers:
  - name: busybox
    image: busybox:1.36
    command:
    - sh
    - -c
    - while true; do wget -q -T 2 -O /dev/null http://{name}:{port}; sleep {pause}; done
"
    ))
}

/// Properties of [`Requests`].
#[derive(Properties, PartialEq)]
pub struct RequestsProps {
    /// The Service.
    pub service: std::rc::Rc<ServiceRow>,
    /// Whether its sender is there.
    pub running: bool,
    /// Words.
    pub strings: &'static Strings,
    /// Where intents go.
    pub send: Callback<Intent>,
}

/// Begins to send requests to a Service, or stops it.
#[component]
pub fn Requests(props: &RequestsProps) -> Html {
    let strings = props.strings;
    let rate = use_state_eq(|| RATES[1]);
    if props.running {
        let stop = Intent::Send(Command::DeleteObject { object: sender(&props.service) });
        return html! {
            <button type="button" class="button" onclick={say(&props.send, stop)}
                data-testid="stop-requests">{ strings.stop_requests }</button>
        };
    }
    let Some(text) = manifest(&props.service, *rate) else { return Html::default() };
    let start = Intent::Send(Command::Apply { text });
    let onchange = {
        let rate = rate.clone();
        when(&Callback::from(move |chosen| rate.set(chosen)), |event: Event| {
            let select: HtmlSelectElement = event.target()?.dyn_into().ok()?;
            RATES.get(select.selected_index() as usize).copied()
        })
    };
    html! {
        <div class="scale">
            <select aria-label={strings.rate} title={strings.rate} {onchange}
                data-testid="request-rate">
                { for RATES.map(|each| html! {
                    <option selected={each == *rate}>{ format!("{each}/s") }</option>
                }) }
            </select>
            <button type="button" class="button" onclick={say(&props.send, start)}
                data-testid="send-requests">{ strings.send_requests }</button>
        </div>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service(ports: &str) -> ServiceRow {
        ServiceRow {
            uid: "1".into(),
            namespace: "shop".into(),
            name: "web".into(),
            service_type: "NodePort".into(),
            cluster_ip: "10.96.0.7".into(),
            ports: ports.into(),
            total: 0,
            ready: 0,
            endpoints: vec![],
            created_ms: 0,
        }
    }

    #[test]
    fn a_sender_asks_the_first_port_at_its_rate() {
        let text = manifest(&service("8080:30080/TCP,9090:30090/TCP"), 20).unwrap();
        assert!(text.contains("namespace: \"shop\""), "{text}");
        assert!(text.contains("http://web:8080; sleep 0.050;"), "{text}");
        assert!(manifest(&service("80/TCP"), 1).unwrap().contains("http://web:80; sleep 1;"));
        assert_eq!(manifest(&service("<none>"), 1), None);
    }
}
