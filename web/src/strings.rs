//! Every word of the interface, in English and Simplified Chinese. A missing translation does not
//! compile. Kubernetes' own output (statuses, reasons, messages, headings) is never translated;
//! Chinese terms follow the glossary of kubernetes.io.

/// A language of the interface.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Language {
    /// English.
    #[default]
    English,
    /// Simplified Chinese.
    Chinese,
}

impl Language {
    /// The language of a tag such as `zh-CN`.
    pub fn from_tag(tag: &str) -> Language {
        if tag.to_ascii_lowercase().starts_with("zh") {
            Language::Chinese
        } else {
            Language::English
        }
    }

    /// Its tag.
    pub fn code(self) -> &'static str {
        match self {
            Language::English => "en",
            Language::Chinese => "zh-Hans",
        }
    }

    /// Its name in itself.
    pub fn own_name(self) -> &'static str {
        match self {
            Language::English => "English",
            Language::Chinese => "简体中文",
        }
    }

    /// Its name on a small button.
    pub fn short_name(self) -> &'static str {
        match self {
            Language::English => "EN",
            Language::Chinese => "中文",
        }
    }

    /// Its words.
    pub fn strings(self) -> &'static Strings {
        match self {
            Language::English => &ENGLISH,
            Language::Chinese => &CHINESE,
        }
    }
}

/// The words of one language. `{name}` stands for what is filled in.
#[derive(PartialEq, Debug)]
pub struct Strings {
    pub all_namespaces: &'static str,
    pub achieved: &'static str,
    pub age: &'static str,
    pub apply: &'static str,
    pub available: &'static str,
    pub boot_engine: &'static str,
    pub boot_ready: &'static str,
    pub boot_registered: &'static str,
    pub boot_server: &'static str,
    pub boot_title: &'static str,
    pub broken_text: &'static str,
    pub broken_title: &'static str,
    pub busy: &'static str,
    pub clock: &'static str,
    pub close: &'static str,
    pub cluster: &'static str,
    pub cluster_text: &'static str,
    pub conditions: &'static str,
    pub containers: &'static str,
    pub cpu: &'static str,
    pub delete: &'static str,
    pub deselect: &'static str,
    pub dismiss: &'static str,
    pub earlier_lines: &'static str,
    pub events: &'static str,
    pub examples: &'static str,
    pub fail: &'static str,
    pub faults: &'static str,
    pub faults_text: &'static str,
    pub fewer: &'static str,
    pub filter: &'static str,
    pub gone: &'static str,
    pub image: &'static str,
    pub key_space: &'static str,
    pub kubelet_stopped: &'static str,
    pub language: &'static str,
    pub legend: &'static str,
    pub line: &'static str,
    pub logs: &'static str,
    pub manifest: &'static str,
    pub manifest_label: &'static str,
    pub manifest_placeholder: &'static str,
    pub map_counts: &'static str,
    pub map_hint: &'static str,
    pub map_label: &'static str,
    pub memory: &'static str,
    pub memory_short: &'static str,
    pub more: &'static str,
    pub more_kinds: &'static str,
    pub namespace: &'static str,
    pub new_cluster: &'static str,
    pub no_events: &'static str,
    pub no_logs: &'static str,
    pub no_node: &'static str,
    pub node: &'static str,
    pub nodes: &'static str,
    pub none: &'static str,
    pub nothing_here: &'static str,
    pub nothing_selected: &'static str,
    pub objects: &'static str,
    pub other_seed: &'static str,
    pub owner: &'static str,
    pub paste: &'static str,
    pub pause: &'static str,
    pub paused: &'static str,
    pub play: &'static str,
    pub play_or_pause: &'static str,
    pub pods: &'static str,
    pub previous_run: &'static str,
    pub quiet: &'static str,
    pub recover: &'static str,
    pub refused: &'static str,
    pub replicas: &'static str,
    pub requests: &'static str,
    pub reset: &'static str,
    pub restart: &'static str,
    pub restarts: &'static str,
    pub restore: &'static str,
    pub run_until_quiet: &'static str,
    pub scale: &'static str,
    pub seed: &'static str,
    pub speed: &'static str,
    pub state_crash_looping: &'static str,
    pub state_creating: &'static str,
    pub state_failed: &'static str,
    pub state_not_ready: &'static str,
    pub state_ready: &'static str,
    pub state_succeeded: &'static str,
    pub state_terminating: &'static str,
    pub state_unknown: &'static str,
    pub state_unscheduled: &'static str,
    pub step: &'static str,
    pub summary: &'static str,
    pub taints: &'static str,
    pub theme: &'static str,
    pub transport: &'static str,
    pub trap_text: &'static str,
    pub trap_title: &'static str,
    pub unscheduled: &'static str,
    pub up_to_date: &'static str,
    pub walk_the_map: &'static str,
    pub welcome_text: &'static str,
    pub zoom_fit: &'static str,
    pub zoom_in: &'static str,
    pub zoom_out: &'static str,
    pub welcome_title: &'static str,
}

static ENGLISH: Strings = Strings {
    all_namespaces: "All namespaces",
    achieved: "The speed that is achieved; it cannot keep up with the one chosen",
    age: "Age",
    apply: "Apply",
    available: "Available",
    boot_engine: "Engine",
    boot_ready: "Nodes ready",
    boot_registered: "Nodes registered",
    boot_server: "API server",
    boot_title: "The control plane is coming up",
    broken_text: "Restart it, or load the page again.",
    broken_title: "The engine does not run",
    busy: "working",
    clock: "Virtual time since boot",
    close: "Close",
    cluster: "Cluster",
    cluster_text: "Everything follows from the seed: the same seed and the same steps give the same cluster.",
    conditions: "Conditions",
    containers: "Containers",
    cpu: "CPU",
    delete: "Delete",
    deselect: "Show nothing",
    dismiss: "Dismiss",
    earlier_lines: "Earlier lines are left off.",
    events: "Events",
    examples: "Examples",
    fail: "Stop its kubelet",
    faults: "Faults",
    faults_text: "Stop a node's kubelet, and its containers with it; the control plane finds out by itself.",
    fewer: "Fewer",
    filter: "Filter by name",
    gone: "deleted",
    image: "Image",
    key_space: "Space",
    kubelet_stopped: "kubelet stopped",
    language: "Language",
    legend: "Legend",
    line: "line",
    logs: "Logs",
    manifest: "Manifest",
    manifest_label: "Manifest in YAML",
    manifest_placeholder: "Paste a manifest here: one or more YAML documents",
    map_counts: "{nodes} nodes · {ready} of {pods} pods ready",
    map_hint: "Arrow keys walk the map, Enter selects",
    map_label: "Cluster map",
    memory: "Memory",
    memory_short: "Mem",
    more: "More",
    more_kinds: "More kinds",
    namespace: "Namespace",
    new_cluster: "New cluster",
    no_events: "No events.",
    no_logs: "Nothing has been written.",
    no_node: "not assigned",
    node: "Node",
    nodes: "Nodes",
    none: "none",
    nothing_here: "Nothing here.",
    nothing_selected: "Select a pod or a node, on the map or in the lists, to see all about it.",
    objects: "Objects",
    other_seed: "Next seed",
    owner: "Owner",
    paste: "or paste a manifest into the editor",
    pause: "Pause",
    paused: "paused",
    play: "Play",
    play_or_pause: "Play or pause",
    pods: "Pods",
    previous_run: "previous run",
    quiet: "quiet",
    recover: "Recover",
    refused: "Refused",
    replicas: "Replicas",
    requests: "Requests",
    reset: "Reset the cluster",
    restart: "Restart",
    restarts: "Restarts",
    restore: "Bring my text back",
    run_until_quiet: "Run until quiet",
    scale: "Scale",
    seed: "Seed",
    speed: "Speed",
    state_crash_looping: "Crash-looping",
    state_creating: "Creating",
    state_failed: "Failed",
    state_not_ready: "Running, not ready",
    state_ready: "Ready",
    state_succeeded: "Succeeded",
    state_terminating: "Terminating",
    state_unknown: "Unknown",
    state_unscheduled: "Unscheduled",
    step: "Single step",
    summary: "Summary",
    taints: "Taints",
    theme: "Light or dark",
    transport: "Virtual time",
    trap_text: "A new one was started, and your changes were made again, except the last one.",
    trap_title: "The engine stopped on an error",
    unscheduled: "Unscheduled",
    up_to_date: "Up to date",
    walk_the_map: "Walk the map",
    welcome_text: "A whole Kubernetes cluster, simulated in this tab. Nothing leaves your browser.",
    zoom_fit: "Fit the view (0)",
    zoom_in: "Larger (+)",
    zoom_out: "Smaller (−)",
    welcome_title: "The cluster is ready. What shall it run?",
};

static CHINESE: Strings = Strings {
    all_namespaces: "所有名字空间",
    achieved: "实际达到的速度（跟不上所选速度）",
    age: "已存在",
    apply: "应用",
    available: "可用",
    boot_engine: "引擎",
    boot_ready: "节点就绪",
    boot_registered: "节点已注册",
    boot_server: "API 服务器",
    boot_title: "控制平面正在启动",
    broken_text: "请重新启动引擎，或重新加载页面。",
    broken_title: "引擎没有运行",
    busy: "运行中",
    clock: "自启动以来的虚拟时间",
    close: "关闭",
    cluster: "集群",
    cluster_text: "一切都由种子决定：相同的种子和相同的操作得到相同的集群。",
    conditions: "状况",
    containers: "容器",
    cpu: "CPU",
    delete: "删除",
    deselect: "取消选择",
    dismiss: "知道了",
    earlier_lines: "更早的行已省略。",
    events: "事件",
    examples: "示例",
    fail: "停止 kubelet",
    faults: "故障",
    faults_text: "停止某个节点的 kubelet 及其容器；控制平面会自行发现。",
    fewer: "减少",
    filter: "按名称过滤",
    gone: "已删除",
    image: "镜像",
    key_space: "空格",
    kubelet_stopped: "kubelet 已停止",
    language: "语言",
    legend: "图例",
    line: "行",
    logs: "日志",
    manifest: "清单",
    manifest_label: "YAML 清单",
    manifest_placeholder: "在此粘贴清单：一个或多个 YAML 文档",
    map_counts: "{nodes} 个节点 · {ready} / {pods} 个 Pod 就绪",
    map_hint: "方向键在图上移动，回车键选择",
    map_label: "集群图",
    memory: "内存",
    memory_short: "内存",
    more: "增加",
    more_kinds: "更多类别",
    namespace: "名字空间",
    new_cluster: "新建集群",
    no_events: "没有事件。",
    no_logs: "还没有输出。",
    no_node: "未分配",
    node: "节点",
    nodes: "节点",
    none: "无",
    nothing_here: "这里什么也没有。",
    nothing_selected: "在图上或列表中选择一个 Pod 或节点，即可查看它的全部信息。",
    objects: "对象",
    other_seed: "换个种子",
    owner: "属主",
    paste: "或者把清单粘贴到编辑器中",
    pause: "暂停",
    paused: "已暂停",
    play: "播放",
    play_or_pause: "播放或暂停",
    pods: "Pod",
    previous_run: "上一次运行",
    quiet: "已静止",
    recover: "恢复",
    refused: "被拒绝",
    replicas: "副本",
    requests: "请求",
    reset: "重置集群",
    restart: "重新启动",
    restarts: "重启次数",
    restore: "恢复我的文本",
    run_until_quiet: "运行至静止",
    scale: "扩缩",
    seed: "种子",
    speed: "速度",
    state_crash_looping: "反复崩溃",
    state_creating: "创建中",
    state_failed: "失败",
    state_not_ready: "运行中，未就绪",
    state_ready: "就绪",
    state_succeeded: "成功",
    state_terminating: "终止中",
    state_unknown: "未知",
    state_unscheduled: "未调度",
    step: "单步",
    summary: "摘要",
    taints: "污点",
    theme: "浅色或深色",
    transport: "虚拟时间",
    trap_text: "已启动新的引擎，并重新执行了你的更改（最后一项除外）。",
    trap_title: "引擎因错误而停止",
    unscheduled: "未调度",
    up_to_date: "已更新",
    walk_the_map: "在图上移动",
    welcome_text: "这是一个完整的 Kubernetes 集群，就在此标签页中模拟运行。任何内容都不会离开你的浏览器。",
    zoom_fit: "适合窗口 (0)",
    zoom_in: "放大 (+)",
    zoom_out: "缩小 (−)",
    welcome_title: "集群已就绪。要运行什么？",
};

/// Fills a text's `{name}`s in.
pub fn fill(text: &str, values: &[(&str, usize)]) -> String {
    values.iter().fold(text.to_owned(), |text, (name, value)| {
        text.replace(&format!("{{{name}}}"), &value.to_string())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_filled_in_both_languages() {
        let values = [("nodes", 3), ("ready", 2), ("pods", 5)];
        let words = |language: Language| fill(language.strings().map_counts, &values);
        assert_eq!(words(Language::English), "3 nodes · 2 of 5 pods ready");
        assert_eq!(words(Language::Chinese), "3 个节点 · 2 / 5 个 Pod 就绪");
    }

    #[test]
    fn a_tag_chooses_a_language() {
        assert_eq!(Language::from_tag("zh-CN"), Language::Chinese);
        assert_eq!(Language::from_tag("de"), Language::English);
        assert_eq!(Language::from_tag(Language::Chinese.code()), Language::Chinese);
    }
}
