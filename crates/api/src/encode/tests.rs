//! What is written is what serde's own format writes.

use std::collections::BTreeMap;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::{
    Container, ContainerPort, Event, Node, Pod, PodSpec, Probe, Secret, TCPSocketAction,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta, Time};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use sim::Fingerprint;

use super::*;

fn pod() -> Pod {
    let labels = BTreeMap::from([("app".to_string(), "\"web\"\n".to_string())]);
    let port = ContainerPort { container_port: 80, ..ContainerPort::default() };
    let socket = TCPSocketAction { port: IntOrString::Int(80), ..Default::default() };
    let container = Container {
        name: "web".into(),
        args: Some(vec!["é".into(), String::new()]),
        ports: Some(vec![port]),
        env: Some(Vec::new()),
        liveness_probe: Some(Probe { tcp_socket: Some(socket), ..Probe::default() }),
        ..Container::default()
    };
    Pod {
        metadata: ObjectMeta {
            labels: Some(labels),
            generation: Some(-1),
            creation_timestamp: Some(Time(jiff::Timestamp::UNIX_EPOCH)),
            ..ObjectMeta::default()
        },
        spec: Some(PodSpec { containers: vec![container], ..PodSpec::default() }),
        status: None,
    }
}

/// Serde's own format says the same.
#[test]
fn values_are_those_of_serde_json() {
    fn check<T: Serialize + ?Sized>(value: &T) {
        assert_eq!(to_value(value), serde_json::to_value(value).unwrap());
    }
    check(&pod());
    check(&Node::default());
    check(&Event { event_time: Some(MicroTime(jiff::Timestamp::UNIX_EPOCH)), ..Event::default() });
    let data = BTreeMap::from([("a".to_string(), ByteString(vec![0, 255, 7]))]);
    check(&Secret { data: Some(data), ..Secret::default() });
    check(&serde_json::json!([null, true, -1, u64::MAX, 1.5, "a", [], {}, {"b": [{}, {}]}]));
    check(&(1_u8, 'c', Some(()), Ok::<i8, ()>(3)));
    check("text");
    check(&f64::NAN);
}

#[test]
fn a_digest_tells_values_apart() {
    fn of<T: Serialize + ?Sized>(value: &T) -> Fingerprint {
        let mut into = Digest::new();
        digest(value, &mut into);
        into.finish()
    }
    assert_eq!(of(&pod()), of(&pod()));
    let mut other = pod();
    other.spec.as_mut().unwrap().containers[0].env = None;
    assert_ne!(of(&pod()), of(&other), "an empty list is not no list");
    assert_ne!(of(&[[1], [2]][..]), of(&[vec![1, 2]][..]));
    assert_ne!(of(&1_i64), of(&1_u64));
}
