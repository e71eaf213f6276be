package integration

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
)

type planView struct{ Pools []poolPlan }

type poolPlan struct {
	Pool, Change string
	Options      []string
	Upstreams    []struct {
		Upstream, Change string
		Options          []string
		Sessions         struct{ Live, Idle int }
		Connections      int
	}
}

// plan asks what a reload with a Caddyfile would do.
func (p *balancerProcess) plan(t *testing.T, kind, config string) (status int, view planView, text string) {
	t.Helper()
	response, err := p.admin.Post("http://localhost/sticky/plan", kind, strings.NewReader(config))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var answer json.RawMessage
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		t.Fatal(err)
	}
	if response.StatusCode == http.StatusOK {
		if err := json.Unmarshal(answer, &view); err != nil {
			t.Fatal(err)
		}
	}
	return response.StatusCode, view, string(answer)
}

// A plan tells what a reload then does, and does nothing itself.
func TestPlan(t *testing.T) {
	t.Parallel()
	listen, other, targets, ips := freeAddr(t), freeAddr(t), greeters(t, 3), clientIPs(20)
	p := startCaddy(t, balance(listen, "session_expiry 1h", targets[:2]...))
	homes := whoEach(t, ips, listen)
	gone := homedAt(homes, targets[1].name)
	if len(gone) < 2 {
		t.Fatalf("only %v are at %s", gone, targets[1].name)
	}
	hold(t, gone[0], listen)
	await(t, "the others are idle", func() bool { return p.pool(t).Sessions.Idle == len(ips)-1 })
	next := caddyfile(
		server{listen, sticky("session_expiry 2h\n"+upstream(targets[0].addr, "weight 7"), targets[2])},
		server{other, "proxy " + targets[0].addr + " {\nlb_policy sticky_ip {\npool second\n}\n}"},
	)
	before := p.pool(t)
	status, plan, text := p.plan(t, "text/caddyfile", next)
	if status != http.StatusOK || len(plan.Pools) != 2 {
		t.Fatalf("%d: %s", status, text)
	}
	first, second := plan.Pools[0], plan.Pools[1]
	if first.Pool != "default" || first.Change != "changed" || !slices.Equal(first.Options, []string{"session_expiry"}) || second.Pool != "second" || second.Change != "added" {
		t.Errorf("the pools are %s", text)
	}
	for _, u := range first.Upstreams {
		want, live, idle := "", 0, 0
		switch u.Upstream {
		case targets[0].addr:
			want = "changed"
			if !slices.Equal(u.Options, []string{"weight"}) {
				t.Errorf("%s differs in %v", u.Upstream, u.Options)
			}
		case targets[1].addr:
			want, live, idle = "removed", 1, len(gone)-1
		case targets[2].addr:
			want = "added"
		}
		if u.Change != want || u.Sessions.Live != live || u.Sessions.Idle != idle || u.Connections != live {
			t.Errorf("of %s the plan tells %+v, want %s", u.Upstream, u, want)
		}
	}
	if after := p.pool(t); len(after.Upstreams) != len(before.Upstreams) || after.Sessions != before.Sessions {
		t.Errorf("the plan has changed %+v to %+v", before, after)
	}
	p.reload(t, next)
	for _, ip := range gone {
		if got := who(t, ip, listen); got == targets[1].name {
			t.Errorf("%s is at %s, which was to be removed", ip, got)
		}
	}
	changes := func(pool poolPlan) bool { return pool.Change != "unchanged" }
	if _, plan, text := p.plan(t, "text/caddyfile", next); len(plan.Pools) != 2 || slices.ContainsFunc(plan.Pools, changes) {
		t.Errorf("a reload with the running config would do %s", text)
	}
	if _, plan, text := p.plan(t, "application/json", "{}"); len(plan.Pools) != 2 || plan.Pools[0].Change != "removed" || plan.Pools[1].Change != "removed" {
		t.Errorf("a reload with an empty config would do %s", text)
	}
	for _, c := range []struct{ kind, config, want string }{
		{"application/json", "{", "the body: "},
		{"text/caddyfile", "{", "syntax error"},
		{"text/none", "", "there is no adapter for 'text/none'"},
		{"text/caddyfile", balance(listen, "session_expiry -1s", targets[0]), "session_expiry"},
		{"application/json", `{"apps": {"layer4": {"servers": {"a": {"routes": [{"handle": [{"handler": "sticky_proxy"}]}]}}}}}`, "no upstreams are given"},
		{"text/caddyfile", caddyfile(server{listen, sticky("", targets[0])}, server{other, sticky("", targets[:2]...)}), "pool 'default': two handlers have different upstreams"},
	} {
		if status, _, text := p.plan(t, c.kind, c.config); status != http.StatusBadRequest || !strings.Contains(text, c.want) {
			t.Errorf("%s is answered by %d: %s, want %s", c.config, status, text, c.want)
		}
	}
}
