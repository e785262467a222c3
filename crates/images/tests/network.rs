//! Programs that talk to each other: on one node, by packets, through the rules of kube-proxy and
//! the names of CoreDNS. EndpointSlices are made by hand, as their controller would.

use std::sync::Arc;

use api::openapi::api::core::v1::{ConfigMap, Pod, Service};
use api::openapi::api::discovery::v1::EndpointSlice;
use client::Component;
use client::testing::TestCluster;
use kubelet::{Kubelet, NodeSpec};
use sim::Duration;

struct World {
    cluster: TestCluster,
    kubelet: Kubelet,
}

const COREFILE: &str = r".:53 {\n errors\n health\n ready\n kubernetes cluster.local in-addr.arpa {\n pods insecure\n fallthrough in-addr.arpa\n ttl 30\n }\n cache 30 {\n disable success cluster.local\n disable denial cluster.local\n }\n}\n";

impl World {
    /// A node with kube-proxy and CoreDNS behind the Service `kube-dns`.
    fn new() -> Self {
        let mut cluster = TestCluster::new();
        for namespace in ["default", "kube-system", "kube-node-lease"] {
            cluster.create_namespace(namespace);
            let name = r#"{"metadata":{"name":"kube-root-ca.crt"},"data":{"ca.crt":"-"}}"#;
            let map: ConfigMap = serde_json::from_str(name).expect("a map");
            cluster.api(namespace).create(map).expect("created");
        }
        let kubelet = Kubelet::new(NodeSpec::new("node-1", 1), images::catalogue());
        let mut world = World { cluster, kubelet };
        world.run(2000);
        let map =
            format!(r#"{{"metadata":{{"name":"coredns"}},"data":{{"Corefile":"{COREFILE}"}}}}"#);
        let map: ConfigMap = serde_json::from_str(&map).expect("a map");
        world.cluster.api("kube-system").create(map).expect("created");
        world.pod(
            "kube-system",
            r#"{"metadata":{"name":"kube-proxy"},"spec":{"hostNetwork":true,"containers":[{"name":"main",
            "image":"registry.k8s.io/kube-proxy:v1.37.0","command":["/usr/local/bin/kube-proxy",
            "--cluster-cidr=10.244.0.0/16","--hostname-override=node-1"]}]}}"#,
        );
        world.pod(
            "kube-system",
            r#"{"metadata":{"name":"coredns"},"spec":{"dnsPolicy":"Default","containers":[{"name":"main",
            "image":"registry.k8s.io/coredns/coredns:v1.14.0","args":["-conf","/etc/coredns/Corefile"],
            "volumeMounts":[{"name":"config","mountPath":"/etc/coredns","readOnly":true}],
            "readinessProbe":{"httpGet":{"path":"/ready","port":8181}}}],
            "volumes":[{"name":"config","configMap":{"name":"coredns"}}]}}"#,
        );
        world.run(8000);
        world.service("kube-system", "kube-dns", ("10.96.0.10", "UDP", 53, 53), "coredns");
        world.run(3000);
        world
    }

    fn run(&mut self, milliseconds: u64) {
        let end = self.cluster.now + Duration::from_millis(milliseconds);
        while self.cluster.now < end {
            let tick = self.cluster.now + Duration::from_millis(20);
            let due = self.kubelet.next_wake().filter(|time| *time > self.cluster.now);
            self.cluster.now = due.map_or(tick, |time| time.min(tick)).min(end);
            self.kubelet.wake(&mut self.cluster.context(1));
        }
    }

    fn pod(&mut self, namespace: &str, manifest: &str) {
        let mut pod: Pod = serde_json::from_str(manifest).expect("a manifest");
        pod.spec.get_or_insert_default().node_name = Some("node-1".to_string());
        self.cluster.api::<Pod>(namespace).create(pod).expect("created");
    }

    /// A pod of one container.
    fn simple(&mut self, name: &str, image: &str, rest: &str) {
        self.pod(
            "default",
            &format!(
                r#"{{"metadata":{{"name":"{name}"}},"spec":{{"restartPolicy":"Never","containers":
                [{{"name":"main","image":"{image}"{rest}}}]}}}}"#
            ),
        );
    }

    /// A pod that runs a script of BusyBox's shell.
    fn script(&mut self, name: &str, script: &str) {
        let script = serde_json::to_string(script).expect("a text");
        self.simple(name, "busybox:1.28", &format!(r#","command":["sh","-c",{script}]"#));
    }

    fn address(&mut self, namespace: &str, pod: &str) -> String {
        let pod: Arc<Pod> = self.cluster.api::<Pod>(namespace).get(pod).expect("the pod");
        pod.status.as_ref().and_then(|status| status.pod_ip.clone()).expect("an address")
    }

    /// A Service of one port, with a slice that has one pod's address.
    fn service(
        &mut self,
        namespace: &str,
        name: &str,
        (cluster_ip, protocol, port, target): (&str, &str, u16, u16),
        pod: &str,
    ) {
        let service = format!(
            r#"{{"metadata":{{"name":"{name}"}},"spec":{{"clusterIP":"{cluster_ip}",
            "ports":[{{"port":{port},"protocol":"{protocol}"}}]}}}}"#
        );
        let service: Service = serde_json::from_str(&service).expect("a Service");
        self.cluster.api::<Service>(namespace).create(service).expect("created");
        if pod.is_empty() {
            return;
        }
        let address = self.address(namespace, pod);
        let slice = format!(
            r#"{{"metadata":{{"name":"{name}-1","labels":{{"kubernetes.io/service-name":"{name}"}}}},
            "addressType":"IPv4","ports":[{{"name":"","port":{target},"protocol":"{protocol}"}}],
            "endpoints":[{{"addresses":["{address}"],"conditions":{{"ready":true}}}}]}}"#
        );
        let slice: EndpointSlice = serde_json::from_str(&slice).expect("a slice");
        self.cluster.api::<EndpointSlice>(namespace).create(slice).expect("created");
    }

    fn log(&self, pod: &str) -> String {
        self.kubelet.logs("default", pod, "main", false).expect("a log").text()
    }

    fn exit_code(&mut self, pod: &str) -> Option<i32> {
        let pod = self.cluster.api::<Pod>("default").get(pod).expect("the pod");
        let statuses = pod.status.as_ref().and_then(|status| status.container_statuses.clone());
        let state = statuses.and_then(|all| all.first()?.state.clone()).unwrap_or_default();
        state.terminated.map(|terminated| terminated.exit_code)
    }
}

#[test]
fn a_name_leads_through_a_service_to_a_web_server() {
    let mut world = World::new();
    world.simple("web", "nginx:1.27", r#","ports":[{"containerPort":80}]"#);
    world.run(8000);
    world.service("default", "web", ("10.96.0.80", "TCP", 80, 80), "web");
    world.service("default", "nobody", ("10.96.0.81", "TCP", 80, 80), "");
    world.run(3000);
    let address = world.address("default", "web");
    for (name, script, code, words) in [
        ("plain", "wget -q -O- http://web", 0, "<title>Welcome to nginx!</title>"),
        ("shown", "wget -O /tmp/x http://web/", 0, "Connecting to web (10.96.0.80:80)"),
        ("direct", &format!("wget -q -O- {address}"), 0, "Welcome to nginx!"),
        ("missing", "wget http://web/no", 1, "wget: server returned error: HTTP/1.1 404 Not Found"),
        ("unknown", "wget http://nosuch", 1, "wget: bad address 'nosuch'"),
        (
            "empty",
            "wget http://nobody",
            1,
            "wget: can't connect to remote host (10.96.0.81): Connection refused",
        ),
        ("closed", "nc -w 2 -z -v web 81; nc -z web 80 && echo open", 0, "open\n"),
        (
            "names",
            "nslookup web",
            0,
            "Name:      web\nAddress 1: 10.96.0.80 web.default.svc.cluster.local\n",
        ),
        ("nonames", "nslookup nosuch", 1, "nslookup: can't resolve 'nosuch'"),
        ("captured", "x=$(wget -qO- http://web | grep -c title); echo got $x", 0, "got"),
        ("echoes", &format!("ping -c 2 {address}"), 0, "2 packets transmitted, 2 packets received"),
        ("own", "hostname -i", 0, "10.244.1."),
        ("routes", "ip route", 0, "default via 10.244.1.1 dev eth0"),
        ("way", "traceroute -m 1 10.96.0.80", 0, " 1  10.244.1.1 (10.244.1.1)  "),
    ] {
        world.script(name, script);
        world.run(6000);
        assert_eq!(world.exit_code(name), Some(code), "{script}: {}", world.log(name));
        let log = world.log(name);
        assert!(log.contains(words), "{script}: {log}");
    }
    assert!(world.log("web").contains("\"GET / HTTP/1.1\" 200"));
    world.simple(
        "curl",
        "nginx:1.27",
        r#","command":["curl","-s","-o","/dev/null","-w",
        "%{http_code} %{remote_ip}\n","http://web/no"]"#,
    );
    world.run(6000);
    assert_eq!(world.log("curl"), "404 10.96.0.80\n");
}

#[test]
fn a_service_without_a_name_server_cannot_be_found() {
    let mut world = World::new();
    let gone = apiserver::DeleteOptions::default();
    world.cluster.api::<Pod>("kube-system").delete("coredns", gone).expect("deleted");
    world.run(40_000);
    world.script("lost", "wget -T 3 http://kube-dns.kube-system");
    world.run(30_000);
    assert_eq!(world.exit_code("lost"), Some(1), "{}", world.log("lost"));
}

#[test]
fn proxies_and_stores_serve_over_services() {
    let mut world = World::new();
    world.simple("redis", "redis:7", "");
    world.simple("hello", "gcr.io/google-samples/hello-app:2.0", "");
    world.simple("mysql", "mysql:8.0", "");
    world.run(12_000);
    assert_eq!(world.exit_code("mysql"), Some(1), "it needs a password");
    assert!(world.log("mysql").contains("MYSQL_ROOT_PASSWORD"));
    world.service("default", "redis", ("10.96.0.63", "TCP", 6379, 6379), "redis");
    world.service("default", "hello", ("10.96.0.64", "TCP", 80, 8080), "hello");
    let config = r#"{"metadata":{"name":"site"},"data":{"default.conf":
        "upstream back { server hello; }\nserver { listen 8080; location /api/ { proxy_pass http://back/; }\n location / { return 200 'own page\\n'; } }\n"}}"#;
    let config: ConfigMap = serde_json::from_str(config).expect("a map");
    world.cluster.api("default").create(config).expect("created");
    world.pod(
        "default",
        r#"{"metadata":{"name":"proxy"},"spec":{"containers":[{"name":"main","image":"nginx:1.27",
        "volumeMounts":[{"name":"site","mountPath":"/etc/nginx/conf.d"}]}],
        "volumes":[{"name":"site","configMap":{"name":"site"}}]}}"#,
    );
    world.run(8000);
    let address = world.address("default", "proxy");
    world.simple(
        "cli",
        "redis:7",
        r#","command":["sh","-c","redis-cli -h redis SET a 5; redis-cli -h redis INCR a"]"#,
    );
    world.script("asks", &format!("wget -qO- {address}:8080/x; wget -qO- {address}:8080/api/"));
    world.run(8000);
    assert_eq!(world.log("cli"), "OK\n6\n");
    assert_eq!(world.log("asks"), "own page\nHello, world!\nVersion: 2.0.0\nHostname: hello\n");
}

#[test]
fn a_vote_goes_through_the_queue_into_the_database() {
    let mut world = World::new();
    world.simple("redis", "redis:alpine", "");
    let password = r#","env":[{"name":"POSTGRES_PASSWORD","value":"postgres"}]"#;
    world.simple("db", "postgres:15-alpine", password);
    world.simple("vote", "dockersamples/examplevotingapp_vote", "");
    world.simple("result", "dockersamples/examplevotingapp_result", "");
    world.run(15_000);
    for (place, (name, port)) in
        [("redis", 6379), ("db", 5432), ("vote", 80), ("result", 80)].into_iter().enumerate()
    {
        let address = format!("10.96.2.{}", place + 10);
        world.service("default", name, (&address, "TCP", port, port), name);
    }
    world.simple("worker", "dockersamples/examplevotingapp_worker", "");
    world.script("voter", "for i in 1 2 3; do wget -qO- --post-data vote=a http://vote; done");
    world.run(12_000);
    assert_eq!(world.exit_code("voter"), Some(0), "{}", world.log("voter"));
    assert_eq!(world.log("worker").matches("Processing vote for 'a'").count(), 3);
    world.script("reader", "wget -qO- http://result");
    world.run(5000);
    assert!(world.log("reader").contains("<p>Cats: 3</p>\n<p>Dogs: 0</p>"));
}

#[test]
fn the_boutique_serves_its_shoppers_and_says_what_fails() {
    const PLACE: &str = "us-central1-docker.pkg.dev/google-samples/microservices-demo";
    let mut world = World::new();
    let members = [
        ("adservice", 9555),
        ("currencyservice", 7000),
        ("cartservice", 7070),
        ("recommendationservice", 8080),
        ("checkoutservice", 5050),
        ("emailservice", 5000),
        ("paymentservice", 50051),
        ("shippingservice", 50052),
        ("productcatalogservice", 3550),
        ("frontend", 8081),
    ];
    let mut variables = vec![r#"{"name":"REDIS_ADDR","value":"redis-cart:6379"}"#.to_string()];
    for (name, port) in members {
        let word = name.trim_end_matches("service").to_uppercase();
        let word = if name == "productcatalogservice" { "PRODUCT_CATALOG".into() } else { word };
        let word = format!("{word}_SERVICE_ADDR");
        variables.push(format!(r#"{{"name":"{word}","value":"{name}:{port}"}}"#));
    }
    world.simple("redis-cart", "redis:alpine", "");
    for (name, port) in members {
        let own = format!(r#"{{"name":"PORT","value":"{port}"}},{}"#, variables.join(","));
        world.simple(name, &format!("{PLACE}/{name}:v0.10.6"), &format!(r#","env":[{own}]"#));
    }
    world.run(25_000);
    world.service("default", "redis-cart", ("10.96.1.9", "TCP", 6379, 6379), "redis-cart");
    for (place, (name, port)) in members.into_iter().enumerate() {
        let address = format!("10.96.1.{}", place + 10);
        world.service("default", name, (&address, "TCP", port, port), name);
    }
    let shop =
        r#","env":[{"name":"FRONTEND_ADDR","value":"frontend:8081"},{"name":"USERS","value":"5"}]"#;
    world.simple("shoppers", &format!("{PLACE}/loadgenerator:v0.10.6"), shop);
    world.run(60_000);
    let log = world.log("shoppers");
    let last = log.lines().rfind(|line| line.contains("Aggregated")).expect("figures");
    assert!(last.contains(" 0(0%)"), "{last}\n{}", world.log("frontend"));
    // Without the currencies the shop has no front page.
    let gone = apiserver::DeleteOptions { grace_period_seconds: Some(0), ..Default::default() };
    world.cluster.api::<Pod>("default").delete("currencyservice", gone).expect("gone");
    world.script("visitor", "sleep 2; wget -qO- http://frontend:8081/; sleep 30");
    world.run(9000);
    assert!(world.log("visitor").contains("HTTP/1.1 500"), "{}", world.log("visitor"));
    assert!(
        world
            .log("frontend")
            .contains("could not retrieve currencies: rpc error: code = Unavailable"),
        "{}",
        world.log("frontend")
    );
}
