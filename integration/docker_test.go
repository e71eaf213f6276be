package integration

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// composeService is what the example has of a service of Docker Compose.
type composeService struct {
	Build, Image string
	Init         bool
	Command      []string
	Ports        []string
	Volumes      []string
	Ulimits      map[string]int
	StopGrace    string `yaml:"stop_grace_period"`
	Restart      string
	DependsOn    []string `yaml:"depends_on"`
}

// mounted returns the file of the example that a service has at a path.
func (s composeService) mounted(path string) string {
	for _, volume := range s.Volumes {
		if parts := strings.Split(volume, ":"); len(parts) > 1 && parts[1] == path {
			return parts[0]
		}
	}
	return ""
}

// What compose.yaml, the Dockerfile and the Caddyfile of the example say of each other is so.
func TestExampleDockerCompose(t *testing.T) {
	folder := "../examples/docker-compose"
	text, err := os.ReadFile(filepath.Join(folder, "compose.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var compose struct {
		Services map[string]composeService
		Volumes  map[string]any
	}
	decoder := yaml.NewDecoder(strings.NewReader(string(text)))
	decoder.KnownFields(true)
	if err := decoder.Decode(&compose); err != nil {
		t.Fatal(err)
	}
	balancer := compose.Services["balancer"]
	docker, err := os.ReadFile(filepath.Join(folder, balancer.Build, "Dockerfile"))
	if err != nil || !strings.Contains(string(docker), `ENTRYPOINT ["caddy"]`) {
		t.Errorf("the image's entry point is not caddy: %v", err)
	}
	at := slices.Index(balancer.Command, "--config")
	if at < 0 || balancer.Command[0] != "run" || balancer.mounted(balancer.Command[at+1]) != "./Caddyfile" {
		t.Errorf("%q does not run the Caddyfile of the volumes %q", balancer.Command, balancer.Volumes)
	}
	file, err := os.ReadFile(filepath.Join(folder, "Caddyfile"))
	if err != nil {
		t.Fatal(err)
	}
	config := string(adapts(t, "caddyfile", string(file)))
	if err := validate([]byte(config)); err != nil {
		t.Error(err)
	}
	if _, port, _ := strings.Cut(balancer.Ports[0], "}"); !strings.Contains(config, `"listen":["seamless/`+port+`"]`) {
		t.Errorf("the config does not listen on the port of %q:\n%s", balancer.Ports, config)
	}
	dials := regexp.MustCompile(`"dial":"([^"]+)"`).FindAllStringSubmatch(config, -1)
	if len(dials) != len(compose.Services)-1 {
		t.Errorf("%d targets for %d services", len(dials), len(compose.Services))
	}
	for _, dial := range dials {
		name, port, _ := net.SplitHostPort(dial[1])
		service, known := compose.Services[name]
		if !known || !slices.Contains(balancer.DependsOn, name) || !slices.Contains(service.Command, port) {
			t.Errorf("no service that the balancer waits for is at %s", dial[1])
			continue
		}
		if script := service.mounted(service.Command[1]); !isFile(filepath.Join(folder, script)) {
			t.Errorf("%s runs %q, which none of %q has", name, service.Command, service.Volumes)
		}
	}
	grace := regexp.MustCompile(`grace_period (\S+)`).FindStringSubmatch(string(file))
	if grace == nil || mustParse(t, grace[1]) >= mustParse(t, balancer.StopGrace) {
		t.Errorf("Docker kills after %s what has a grace_period of %q", balancer.StopGrace, grace)
	}
	for name, service := range compose.Services {
		for _, volume := range service.Volumes {
			source, _, _ := strings.Cut(volume, ":")
			if _, named := compose.Volumes[source]; !named && !isFile(filepath.Join(folder, source)) {
				t.Errorf("%s has the volume %s, which is not there", name, volume)
			}
		}
	}
	if exec.Command("docker", "compose", "version").Run() != nil {
		t.Log("there is no docker compose to read it")
	} else if output, err := exec.Command("docker", "compose", "-f", filepath.Join(folder, "compose.yaml"), "config", "-q").CombinedOutput(); err != nil {
		t.Errorf("docker compose: %v\n%s", err, output)
	}
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

// requiredVersion returns the version of a module, or of go itself, in go.mod.
func requiredVersion(t *testing.T, module string) string {
	t.Helper()
	text, err := os.ReadFile("../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`(?m)^\s*` + regexp.QuoteMeta(module) + ` (\S+)`).FindStringSubmatch(string(text))
	if found == nil {
		t.Fatalf("go.mod has no %s", module)
	}
	return found[1]
}

// Whatever tells a version tells the one of go.mod.
func TestVersions(t *testing.T) {
	module, goVersion := requiredVersion(t, "module"), requiredVersion(t, "go")
	caddy, l4 := requiredVersion(t, "github.com/caddyserver/caddy/v2"), requiredVersion(t, "github.com/mholt/caddy-l4")
	xcaddy := requiredVersion(t, "github.com/caddyserver/xcaddy")
	minor := goVersion[:strings.LastIndex(goVersion, ".")]
	for file, wants := range map[string][]string{
		"Dockerfile":            {"FROM golang:" + minor + "-", "go run ./build -o /caddy\n", "COPY --from=build /caddy "},
		"docs/compatibility.md": {"| Go | " + goVersion + " or newer |", "| Caddy | " + caddy + " |", "| caddy-l4 | " + l4 + " |", "| xcaddy | " + xcaddy + " |"},
		"docs/traps.md":         {"Caddy " + caddy + " and caddy-l4 " + l4},
		"docs/middleware.md":    {"With caddy-l4 " + l4 + ","},
		"xcaddy.json":           {`"caddy_version": "` + caddy + `"`, `"module_path": "` + module + `"`, `"version": "` + l4 + `"`},
		"README.md":             {"xcaddy build --with " + module},
	} {
		text, err := os.ReadFile(filepath.Join("..", file))
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range wants {
			if !strings.Contains(string(text), want) {
				t.Errorf("%s does not say %q", file, want)
			}
		}
	}
}
