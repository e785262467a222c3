//! Whole applications in a whole cluster: their pods become ready and their parts reach each
//! other, by names, through Services, over the machines' network. The manifests are those that
//! the projects publish; a run without the corpus has none.

use std::path::Path;

use cluster::{Cluster, Command};
use component_helpers::pod_status::is_pod_ready;
use sim::Duration;
use tests::{conditional, corpus};

mod support;

use support::{apply, booted, pods};

/// The text of a file, or of all files of a folder.
fn text_of(path: &Path) -> String {
    let Ok(folder) = std::fs::read_dir(path) else {
        return std::fs::read_to_string(path).expect("the corpus has the file");
    };
    let mut files: Vec<_> = folder.filter_map(|file| Some(file.ok()?.path())).collect();
    files.sort();
    let texts = files.iter().map(|file| std::fs::read_to_string(file).expect("a file"));
    texts.collect::<Vec<_>>().join("\n---\n")
}

fn log(cluster: &Cluster, namespace: &str, name: &str) -> String {
    let logs = cluster.kubelets().flat_map(|kubelet| {
        let pods = pods(cluster).into_iter().filter(|pod| {
            let own = pod.metadata.name.as_deref().unwrap_or_default();
            own.starts_with(name) && pod.metadata.namespace.as_deref() == Some(namespace)
        });
        pods.filter_map(|pod| {
            let containers = &pod.spec.as_ref()?.containers;
            let name = pod.metadata.name.as_deref()?;
            let log = kubelet.logs(namespace, name, &containers.first()?.name, false)?;
            Some(log.text())
        })
        .collect::<Vec<_>>()
    });
    logs.collect::<Vec<_>>().join("")
}

fn report(cluster: &Cluster) -> String {
    let lines = pods(cluster).into_iter().map(|pod| {
        let name = pod.metadata.name.clone().unwrap_or_default();
        let namespace = pod.metadata.namespace.clone().unwrap_or_default();
        let statuses = pod.status.as_ref().map(|status| {
            let all = status.init_container_statuses.iter().chain(&status.container_statuses);
            all.flatten()
                .map(|s| {
                    format!(
                        "{} ready={} restarts={} {:?}",
                        s.name, s.ready, s.restart_count, s.state
                    )
                })
                .collect::<Vec<_>>()
                .join("; ")
        });
        format!("{namespace}/{name}: {}\n", statuses.unwrap_or_default())
    });
    lines.collect()
}

/// Runs until all pods are ready, at most that many seconds.
fn until_ready(cluster: &mut Cluster, seconds: u64) {
    let end = cluster.now() + Duration::from_secs(seconds);
    let all_ready = |pods: Vec<_>| !pods.is_empty() && pods.iter().all(is_pod_ready);
    while !all_ready(pods(cluster)) {
        assert!(cluster.now() < end, "not ready:\n{}", report(cluster));
        cluster.run(Duration::from_secs(5));
    }
}

#[test]
fn the_microservices_demo_comes_up_and_serves_its_shoppers() {
    let name = "corpus/apps: the microservices demo";
    conditional(name, corpus("apps/microservices-demo.yaml"), |path| shop(&text_of(&path)));
}

fn shop(text: &str) {
    let mut cluster = booted();
    apply(&mut cluster, text);
    until_ready(&mut cluster, 300);
    cluster.run(Duration::from_secs(60));
    let shoppers = log(&cluster, "default", "loadgenerator");
    let last = shoppers.lines().rfind(|line| line.contains("Aggregated"));
    let last = last.unwrap_or_else(|| panic!("no figures:\n{shoppers}"));
    assert!(last.contains(" 0(0%)"), "{last}\n{}", log(&cluster, "default", "frontend"));
    let requests = last.split_whitespace().nth(1).and_then(|count| count.parse::<u32>().ok());
    assert!(requests > Some(60), "{last}");
    // A copy goes the same way, however it is driven.
    let mut copy = cluster.clone();
    cluster.run(Duration::from_secs(10));
    (0..10).for_each(|_| copy.run(Duration::from_secs(1)));
    assert_eq!(cluster.state_hash(), copy.state_hash());
}

#[test]
fn the_voting_app_comes_up() {
    let name = "corpus/apps: the voting app";
    conditional(name, corpus("apps/voting-app/k8s-specifications"), |path| votes(&text_of(&path)));
}

fn votes(text: &str) {
    let mut cluster = booted();
    apply(&mut cluster, text);
    until_ready(&mut cluster, 300);
    cluster.run(Duration::from_secs(20));
    let voter = "
apiVersion: v1
kind: Pod
metadata: {name: voter}
spec:
  restartPolicy: Never
  containers:
  - name: main
    image: busybox:1.37
    command: [sh, -c, 'wget -qO- --post-data vote=b http://vote:8080 && sleep 5 && wget -qO- http://result:8081 && sleep 600']
";
    apply(&mut cluster, voter);
    cluster.run(Duration::from_secs(30));
    let worker = log(&cluster, "default", "worker");
    assert!(worker.contains("Processing vote for 'b'"), "{worker}");
    assert!(log(&cluster, "default", "voter").contains("<p>Dogs: 1</p>"));
}

/// A Deployment of a small server behind a Service, and somebody who asks it all the time.
fn hello(version: &str, rest: &str) -> String {
    format!(
        "apiVersion: apps/v1
kind: Deployment
metadata: {{name: hello}}
spec:
  replicas: 3
  selector: {{matchLabels: {{app: hello}}}}
  template:
    metadata: {{labels: {{app: hello}}}}
    spec:
      containers:
      - name: main
        image: gcr.io/google-samples/hello-app:{version}
        ports: [{{containerPort: 8080}}]
{rest}
---
apiVersion: v1
kind: Service
metadata: {{name: hello}}
spec:
  selector: {{app: hello}}
  ports: [{{port: 80, targetPort: 8080}}]
"
    )
}

const ASKING: &str = "apiVersion: v1
kind: Pod
metadata: {name: asking}
spec:
  containers:
  - name: main
    image: busybox:1.37
    command: [sh, -c, 'while true; do wget -q -T 5 -O- http://hello || echo LOST; sleep 0.1; done']
";

/// What somebody was answered while the Deployment was updated: by the old version, by the new
/// one, and not at all.
fn updated_under_traffic(rest: &str) -> (usize, usize, usize) {
    let mut cluster = booted();
    apply(&mut cluster, &hello("1.0", rest));
    until_ready(&mut cluster, 120);
    cluster.run(Duration::from_secs(5));
    apply(&mut cluster, ASKING);
    cluster.run(Duration::from_secs(10));
    apply(&mut cluster, &hello("2.0", rest));
    cluster.run(Duration::from_secs(60));
    let log = log(&cluster, "default", "asking");
    let count = |words: &str| log.matches(words).count();
    (count("Version: 1.0.0"), count("Version: 2.0.0"), count("LOST"))
}

#[test]
fn a_rolling_update_with_readiness_and_a_quiet_end_loses_no_request() {
    let (old, new, lost) = updated_under_traffic(
        "        readinessProbe: {httpGet: {path: /, port: 8080}, periodSeconds: 1}
        lifecycle: {preStop: {sleep: {seconds: 5}}}",
    );
    assert!(old > 10 && new > 10, "{old} and {new} answers");
    assert_eq!(lost, 0);
}

#[test]
fn a_rolling_update_without_them_loses_some() {
    let (old, new, lost) = updated_under_traffic("");
    assert!(old > 10 && new > 10, "{old} and {new} answers");
    assert!(lost > 0, "pods that end are still in the rules for a moment");
}

#[test]
fn without_the_name_server_names_fail_and_addresses_work() {
    let mut cluster = booted();
    apply(&mut cluster, &hello("1.0", ""));
    until_ready(&mut cluster, 120);
    let addresses = pods(&cluster).into_iter().filter_map(|pod| pod.status?.pod_ip);
    let address = addresses.into_iter().next().expect("an address");
    let outcome = cluster.execute(Command::Scale {
        api_version: "apps/v1".into(),
        kind: "Deployment".into(),
        namespace: "kube-system".into(),
        name: "coredns".into(),
        replicas: 0,
    });
    assert!(outcome.results.iter().all(|result| result.is_done()));
    let asking = format!(
        "apiVersion: v1
kind: Pod
metadata: {{name: asking}}
spec:
  restartPolicy: Never
  containers:
  - name: main
    image: busybox:1.37
    command: [sh, -c, 'sleep 30; wget -q -O- http://hello; wget -q -O- http://{address}:8080']
"
    );
    apply(&mut cluster, &asking);
    cluster.run(Duration::from_secs(120));
    let log = log(&cluster, "default", "asking");
    assert!(log.contains("wget: bad address 'hello'"), "{log}");
    assert!(log.contains("Hello, world!"), "{log}");
}

/// A web server that says for a while that it is ready, and then no longer.
const TIRED: &str = "apiVersion: v1
kind: Pod
metadata: {name: tired, labels: {app: tired}}
spec:
  containers:
  - name: main
    image: nginx:1.28
    command: [sh, -c, 'touch /tmp/ready; (sleep 40; rm /tmp/ready) & exec nginx -g \"daemon off;\"']
    ports: [{containerPort: 80}]
    readinessProbe:
      exec: {command: [cat, /tmp/ready]}
      periodSeconds: 2
      failureThreshold: 1
---
apiVersion: v1
kind: Service
metadata: {name: hello}
spec:
  selector: {app: tired}
  ports: [{port: 80}]
";

#[test]
fn traffic_stops_where_readiness_fails_and_the_pod_lives_on() {
    let mut cluster = booted();
    apply(&mut cluster, TIRED);
    until_ready(&mut cluster, 30);
    apply(&mut cluster, ASKING);
    cluster.run(Duration::from_secs(10));
    let before = log(&cluster, "default", "asking");
    assert!(before.contains("Welcome to nginx!") && !before.contains("LOST"), "{before}");
    cluster.run(Duration::from_secs(60));
    let tired = pods(&cluster).into_iter().find(|pod| !is_pod_ready(pod)).expect("it is not ready");
    let statuses = tired.status.and_then(|status| status.container_statuses).unwrap_or_default();
    assert!(statuses.iter().all(|status| status.restart_count == 0), "nobody restarts it");
    let asked = log(&cluster, "default", "asking");
    let last: Vec<&str> = asked.lines().rev().take(10).collect();
    assert!(last.contains(&"LOST") && !last.iter().any(|line| line.contains("nginx")), "{last:?}");
    assert!(last.iter().any(|line| line.ends_with("Connection refused")), "{last:?}");
}
