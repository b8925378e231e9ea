package check_test

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"testing"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/api/resource"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"
)

// maxConfigMap is how large an object may be, in bytes; the API server's limit
// is 1.5 MiB, Grafana's and kubectl's habits ask for less.
const maxConfigMap = 1 << 20

// cluster is what kustomize makes of the manifests, each decoded strictly by
// its API type.
type cluster struct {
	deployment appsv1.Deployment
	service    corev1.Service
	volume     corev1.PersistentVolumeClaim
	monitor    monitoringv1.ServiceMonitor
	rules      monitoringv1.PrometheusRule
	web        corev1.Secret
	policy     networkingv1.NetworkPolicy
	dashboards []corev1.ConfigMap
}

// kustomized are the objects that kustomize makes of a folder.
func kustomized(t *testing.T, folder string) []*resource.Resource {
	t.Helper()
	resources, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), folder)
	if err != nil {
		t.Fatal(err)
	}
	return resources.Resources()
}

func build(t *testing.T, folder string) (c cluster) {
	t.Helper()
	for _, r := range kustomized(t, folder) {
		var into any
		switch r.GetKind() {
		case "Deployment":
			into = &c.deployment
		case "Service":
			into = &c.service
		case "PersistentVolumeClaim":
			into = &c.volume
		case "ServiceMonitor":
			into = &c.monitor
		case "PrometheusRule":
			into = &c.rules
		case "Secret":
			into = &c.web
		case "NetworkPolicy":
			into = &c.policy
		case "ConfigMap":
			c.dashboards = append(c.dashboards, corev1.ConfigMap{})
			into = &c.dashboards[len(c.dashboards)-1]
		default:
			t.Fatalf("there is a %s, which nobody expects", r.GetKind())
		}
		content, err := r.AsYAML()
		if err != nil {
			t.Fatal(err)
		}
		if err := yaml.UnmarshalStrict(content, into); err != nil {
			t.Errorf("%s %s: %v", r.GetKind(), r.GetName(), err)
		}
		if len(content) > maxConfigMap {
			t.Errorf("%s %s has %d bytes", r.GetKind(), r.GetName(), len(content))
		}
	}
	return c
}

// The job that rules and dashboards expect is the Service's name, and the way
// from the ServiceMonitor to the container is unbroken.
func TestScrapeFindsTheExporter(t *testing.T) {
	t.Parallel()
	c := build(t, "../kubernetes")
	if c.service.Name != "yativo-card-exporter" || c.monitor.Spec.JobLabel != "" {
		t.Errorf("the job is %q, %q", c.service.Name, c.monitor.Spec.JobLabel)
	}
	pod := c.deployment.Spec.Template
	for selector, labels := range map[string]bool{
		"monitor":    contains(c.service.Labels, c.monitor.Spec.Selector.MatchLabels),
		"service":    contains(pod.Labels, c.service.Spec.Selector),
		"deployment": contains(pod.Labels, c.deployment.Spec.Selector.MatchLabels),
	} {
		if !labels {
			t.Errorf("the selector of the %s selects nothing", selector)
		}
	}
	port := c.service.Spec.Ports[0]
	if len(c.monitor.Spec.Endpoints) != 1 || c.monitor.Spec.Endpoints[0].Port != port.Name {
		t.Errorf("the monitor scrapes %v, the service offers %s", c.monitor.Spec.Endpoints, port.Name)
	}
	if ports := pod.Spec.Containers[0].Ports; len(ports) != 1 || ports[0].Name != port.TargetPort.StrVal || ports[0].ContainerPort != 10101 {
		t.Errorf("the service leads to %s, the container offers %v", port.TargetPort.StrVal, ports)
	}
}

func contains(labels, selector map[string]string) bool {
	for name, value := range selector {
		if labels[name] != value {
			return false
		}
	}
	return len(selector) > 0
}

// One pod holds the state, and it is never taken off the Service for want of
// data.
func TestDeploymentKeepsItsState(t *testing.T) {
	t.Parallel()
	c := build(t, "../kubernetes")
	spec := c.deployment.Spec
	if *spec.Replicas != 1 || spec.Strategy.Type != appsv1.RecreateDeploymentStrategyType {
		t.Errorf("there are %d replicas with strategy %s, and the state file is locked", *spec.Replicas, spec.Strategy.Type)
	}
	container := spec.Template.Spec.Containers[0]
	for name, probe := range map[string]*corev1.Probe{"liveness": container.LivenessProbe, "readiness": container.ReadinessProbe} {
		if probe == nil || probe.HTTPGet.Path != "/-/healthy" {
			t.Errorf("the %s probe is %v", name, probe)
		}
	}
	var state, mounted string
	for _, v := range spec.Template.Spec.Volumes {
		if v.PersistentVolumeClaim != nil && v.PersistentVolumeClaim.ClaimName == c.volume.Name {
			state = v.Name
		}
	}
	for _, m := range container.VolumeMounts {
		if m.Name == state {
			mounted = m.MountPath
		}
	}
	var names []string
	for _, variable := range container.Env {
		names = append(names, variable.Name)
		if variable.Name == "EXPORTER_STATE_FILE" && filepath.Dir(variable.Value) != mounted {
			t.Errorf("the state file is %s, the volume is at %q", variable.Value, mounted)
		}
	}
	if !slices.Contains(names, "EXPORTER_STATE_FILE") {
		t.Error("the state file is not set")
	}
	checkVariables(t, names)
}

// Who is stalled is listed within the pod, for whoever may forward a port.
func TestDeploymentListsTheStalledWithinThePod(t *testing.T) {
	t.Parallel()
	for _, variable := range build(t, "../kubernetes").deployment.Spec.Template.Spec.Containers[0].Env {
		if variable.Name == "EXPORTER_PRIVATE_ADDRESS" && variable.Value == "127.0.0.1:10102" {
			return
		}
	}
	t.Error("EXPORTER_PRIVATE_ADDRESS is not on loopback")
}

// Behind a password the probes need none, and Prometheus has one.
func TestBasicAuthLetsProbesAndPrometheusIn(t *testing.T) {
	t.Parallel()
	c := build(t, "../kubernetes-basic-auth")
	pod := c.deployment.Spec.Template.Spec
	container := pod.Containers[0]
	for name, probe := range map[string]*corev1.Probe{"liveness": container.LivenessProbe, "readiness": container.ReadinessProbe} {
		if probe.HTTPGet != nil || probe.Exec == nil || !slices.Equal(probe.Exec.Command, []string{"/yativo-card-exporter", "healthcheck"}) {
			t.Errorf("the %s probe is %v", name, probe)
		}
	}
	scrape := c.monitor.Spec.Endpoints[0].BasicAuth
	if scrape == nil || scrape.Username.Name == "" || scrape.Password.Key != "password" {
		t.Errorf("Prometheus shows %v", scrape)
	}
	if !bytes.Contains(c.web.Data["web.yml"], []byte("basic_auth_users:")) {
		t.Errorf("the Secret %s holds no web configuration", c.web.Name)
	}
	var mounted string
	for _, v := range pod.Volumes {
		if v.Secret != nil && v.Secret.SecretName == c.web.Name {
			mounted = v.Name
		}
	}
	if !slices.ContainsFunc(container.VolumeMounts, func(m corev1.VolumeMount) bool {
		return m.Name == mounted && slices.ContainsFunc(container.Env, func(e corev1.EnvVar) bool {
			return e.Name == "EXPORTER_WEB_CONFIG_FILE" && e.Value == m.MountPath+"/web.yml"
		})
	}) {
		t.Errorf("EXPORTER_WEB_CONFIG_FILE is not where %s is mounted", c.web.Name)
	}
}

// kube-prometheus-stack takes only what has its release's label, and reaches the
// port past the policy.
func TestPrometheusStackFindsTheExporter(t *testing.T) {
	t.Parallel()
	c := build(t, "../kubernetes-prometheus-stack")
	for what, labels := range map[string]map[string]string{"ServiceMonitor": c.monitor.Labels, "PrometheusRule": c.rules.Labels} {
		if labels["release"] != "kube-prometheus-stack" || labels["app.kubernetes.io/name"] == "" {
			t.Errorf("the %s has the labels %v", what, labels)
		}
	}
	pod := c.deployment.Spec.Template
	if _, ours := c.deployment.Labels["release"]; ours || !contains(pod.Labels, c.policy.Spec.PodSelector.MatchLabels) {
		t.Errorf("the Deployment has the labels %v, the policy selects %v", c.deployment.Labels, c.policy.Spec.PodSelector)
	}
	ports := c.policy.Spec.Ingress[0].Ports
	if len(ports) != 1 || ports[0].Port.StrVal != pod.Spec.Containers[0].Ports[0].Name {
		t.Errorf("the policy lets in %v", ports)
	}
	var out []int32
	for _, port := range c.policy.Spec.Egress[0].Ports {
		out = append(out, port.Port.IntVal)
	}
	if !slices.Equal(out, []int32{53, 53, 443}) {
		t.Errorf("the policy lets out to %v", out)
	}
}

func TestDeploymentIsLockedDown(t *testing.T) {
	t.Parallel()
	spec := build(t, "../kubernetes").deployment.Spec.Template.Spec
	container := spec.Containers[0]
	pod, own := spec.SecurityContext, container.SecurityContext
	dockerfileHas(t, "USER 65532:65532", `VOLUME ["/var/lib/yativo-card-exporter"]`)
	for what, ok := range map[string]bool{
		"is not root":                    *pod.RunAsNonRoot && *pod.RunAsUser == 65532 && *pod.FSGroup == 65532,
		"has a seccomp profile":          pod.SeccompProfile.Type == corev1.SeccompProfileTypeRuntimeDefault,
		"has a read-only root":           *own.ReadOnlyRootFilesystem,
		"gains no privileges":            !*own.AllowPrivilegeEscalation,
		"has no capabilities":            slices.Equal(own.Capabilities.Drop, []corev1.Capability{"ALL"}) && own.Capabilities.Add == nil,
		"has no token of the cluster":    !*spec.AutomountServiceAccountToken,
		"has a memory limit":             !container.Resources.Limits.Memory().IsZero(),
		"asks for memory and CPU":        !container.Resources.Requests.Memory().IsZero() && !container.Resources.Requests.Cpu().IsZero(),
		"keeps secrets out of variables": !slices.ContainsFunc(container.Env, func(e corev1.EnvVar) bool { return e.ValueFrom != nil }),
	} {
		if !ok {
			t.Errorf("the container does not hold: it %s", what)
		}
	}
}

// The rules and the dashboards are those of the commands.
func TestRulesAndDashboardsAreTheShippedOnes(t *testing.T) {
	t.Parallel()
	file, err := os.ReadFile("../kubernetes/prometheusrule.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(file, product(t, "alerts", "-format", "operator")) {
		t.Error("deploy/kubernetes/prometheusrule.yaml is not what alerts -format operator prints; run make rules")
	}
	c := build(t, "../kubernetes")
	if len(c.rules.Spec.Groups) == 0 {
		t.Error("the PrometheusRule has no groups")
	}
	if len(c.dashboards) != 3 {
		t.Fatalf("there are %d dashboards, want 3", len(c.dashboards))
	}
	for _, d := range c.dashboards {
		want, err := os.ReadFile(filepath.Join(root, "dashboards", d.Name+".json"))
		if err != nil {
			t.Fatal(err)
		}
		if d.Labels["grafana_dashboard"] != "1" || len(d.Data) != 1 || d.Data[d.Name+".json"] != string(want) {
			t.Errorf("the ConfigMap %s does not hold the dashboard as Grafana's sidecar looks for it", d.Name)
		}
	}
}
