package integration

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
)

// A poolView is what the admin API tells of a pool, as far as tests look at it.
type poolView struct {
	Pool        string
	Connections int
	Waiting     int
	Sessions    struct{ Live, Idle, Limit int }
	Upstreams   []upstreamView
}

type upstreamView struct {
	Address, Upstream, State, Reason string
	Since                            time.Time
	Until                            *time.Time
	Weight                           int
	MaxConnections                   int `json:"max_connections"`
	Backup                           bool
	Connections                      int
	Sessions                         struct{ Live, Idle int }
	BytesUp                          int64 `json:"bytes_up"`
	BytesDown                        int64 `json:"bytes_down"`
	Dials                            int64
	DialFailures                     int64 `json:"dial_failures"`
	LastError                        *struct {
		Text string
		At   time.Time
	} `json:"last_error"`
}

type sessionsView struct {
	Sessions []struct {
		Client, Upstream string
		Connections      int
		Since            time.Time
		ExpiresIn        *float64 `json:"expires_in"`
	}
	Cursor string
}

// ask sends a request to the admin API, and returns the status and what is answered.
func (p *balancerProcess) ask(t testing.TB, method, path, body string) (*http.Response, []byte) {
	t.Helper()
	request, err := http.NewRequest(method, "http://localhost/sticky/"+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	response, err := p.admin.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response, answer
}

// mustAsk is ask for a request that must succeed, whose answer is decoded.
func (p *balancerProcess) mustAsk(t testing.TB, method, path, body string, answer any) {
	t.Helper()
	response, text := p.ask(t, method, path, body)
	if response.StatusCode != http.StatusOK || response.Header.Get("Content-Type") != "application/json" {
		t.Fatalf("%s %s: %s: %s", method, path, response.Status, text)
	}
	if err := json.Unmarshal(text, answer); err != nil {
		t.Fatalf("%s %s: %v in %s", method, path, err, text)
	}
}

func (p *balancerProcess) pool(t testing.TB) (view poolView) {
	t.Helper()
	p.mustAsk(t, "GET", "pools/default", "", &view)
	return view
}

// upstream returns what the API tells of a target.
func (p *balancerProcess) upstream(t testing.TB, one *target) (view upstreamView) {
	t.Helper()
	p.mustAsk(t, "GET", "pools/default/upstreams/"+url.PathEscape(one.addr), "", &view)
	return view
}

// patch sets something for a target.
func (p *balancerProcess) patch(t testing.TB, one *target, body string) (view upstreamView) {
	t.Helper()
	p.mustAsk(t, "PATCH", "pools/default/upstreams/"+url.PathEscape(one.addr), body, &view)
	return view
}

// The API tells of all pools, their targets and what these have done.
func TestPools(t *testing.T) {
	t.Parallel()
	listen, other, targets, ips := freeAddr(t), freeAddr(t), greeters(t, 3), clientIPs(6)
	dead := freeAddr(t)
	p := startCaddy(t, caddyfile(
		server{listen, sticky("session_expiry 1h\nmax_sessions 77\n"+upstream(targets[2].addr, "weight 5", "max_connections 9", "backup"), targets[:2]...)},
		server{other, "sticky_proxy " + dead + " {\npool other\n}"},
	))
	open, at := hold(t, ips[0], listen)
	_, _ = io.WriteString(open, "12345\n")
	mustReadLine(t, open)
	for _, ip := range ips[1:] {
		who(t, ip, listen)
	}
	_, _ = tryWho(ips[0], other)
	var all []poolView
	p.mustAsk(t, "GET", "pools", "", &all)
	if len(all) != 2 || all[0].Pool != "default" || all[1].Pool != "other" {
		t.Fatalf("the pools are %+v", all)
	}
	await(t, "the sessions of those that have gone are idle", func() bool { return p.pool(t).Sessions.Idle == 5 })
	view := p.pool(t)
	if view.Connections != 1 || view.Sessions.Live != 1 || view.Sessions.Limit != 77 || len(view.Upstreams) != 3 {
		t.Errorf("the pool is %+v", view)
	}
	home := p.upstream(t, named(t, targets, at))
	if home.State != "active" || home.Reason != "" || home.Connections != 1 || home.Sessions.Live != 1 || home.BytesUp != 6 || home.BytesDown < 8 || home.Dials < 1 || home.DialFailures != 0 || home.LastError != nil || home.Until != nil || time.Since(home.Since) > time.Minute {
		t.Errorf("the target with a connection is %+v", home)
	}
	if spare := p.upstream(t, targets[2]); spare.Weight != 5 || spare.MaxConnections != 9 || !spare.Backup {
		t.Errorf("the backup is %+v", spare)
	}
	failed := all[1].Upstreams[0]
	if failed.State != "deactivated" || !strings.Contains(failed.Reason, "refused") || failed.DialFailures != 1 || failed.LastError == nil || !strings.Contains(failed.LastError.Text, "refused") || failed.Until == nil || failed.Until.Sub(failed.Since) != time.Minute {
		t.Errorf("the dead target is %+v", failed)
	}
	p.reload(t, balance(listen, "session_expiry 1h", targets[(slices.IndexFunc(targets, func(one *target) bool { return one.name == at })+1)%2]))
	removed := p.upstream(t, named(t, targets, at))
	if removed.State != "removed" || removed.Connections != 1 || time.Since(removed.Since) > time.Minute {
		t.Errorf("the target that was removed is %+v", removed)
	}
	if response, text := p.ask(t, "PATCH", "pools/default/upstreams/"+url.PathEscape(removed.Address), `{"weight": 1}`); response.StatusCode != http.StatusConflict {
		t.Errorf("changing it is answered by %s: %s", response.Status, text)
	}
}

// Sessions are listed page by page, filtered, and forgotten.
func TestSessions(t *testing.T) {
	t.Parallel()
	listen, targets, ips := freeAddr(t), greeters(t, 2), clientIPs(50)
	p := startCaddy(t, balance(listen, "session_expiry 1h", targets...))
	homes := whoEach(t, ips, listen)
	live := make(map[string]bool)
	for _, ip := range ips[:10] {
		hold(t, ip, listen)
		live[ip] = true
	}
	await(t, "the others are idle", func() bool { return p.pool(t).Sessions.Idle == 40 })
	list := func(query string) (clients []string) {
		for cursor := ""; ; {
			var page sessionsView
			p.mustAsk(t, "GET", "pools/default/sessions?"+query+"&cursor="+cursor, "", &page)
			for _, s := range page.Sessions {
				if homes[s.Client] != nameOf(targets, s.Upstream) || (s.Connections > 0) != live[s.Client] || (s.ExpiresIn == nil) != live[s.Client] || s.ExpiresIn != nil && (*s.ExpiresIn > 3600 || *s.ExpiresIn < 3500) || time.Since(s.Since) > time.Minute {
					t.Errorf("a session is %+v", s)
				}
				clients = append(clients, s.Client)
			}
			if cursor = page.Cursor; cursor == "" {
				break
			}
		}
		slices.Sort(clients)
		return clients
	}
	sorted := func(keep func(ip string) bool) (kept []string) {
		for _, ip := range ips {
			if keep(ip) {
				kept = append(kept, ip)
			}
		}
		slices.Sort(kept)
		return kept
	}
	for query, keep := range map[string]func(ip string) bool{
		"limit=7":            func(string) bool { return true },
		"state=live&limit=3": func(ip string) bool { return live[ip] },
		"state=idle":         func(ip string) bool { return !live[ip] },
		"client=" + ips[20]:  func(ip string) bool { return ip == ips[20] },
		"client=10.9.9.9":    func(string) bool { return false },
		"upstream=" + targets[0].addr + "&state=idle": func(ip string) bool { return !live[ip] && homes[ip] == targets[0].name },
	} {
		if got, want := list(query), sorted(keep); !slices.Equal(got, want) {
			t.Errorf("%s lists %v, want %v", query, got, want)
		}
	}
	forget := func(query string, sessions, connections int) {
		t.Helper()
		var answer struct{ Sessions, Connections int }
		if p.mustAsk(t, "DELETE", "pools/default/sessions?"+query, "", &answer); answer.Sessions != sessions || answer.Connections != connections {
			t.Errorf("deleting with %s forgets %+v, want %d and %d", query, answer, sessions, connections)
		}
	}
	forget("client="+ips[30], 1, 0)
	forget("client="+ips[30], 0, 0)
	forget("client="+ips[0], 1, 0)
	forget("client="+ips[1]+"&close=true", 1, 1)
	forget("all=true&close=true", 47, 8)
	if n := p.pool(t).Sessions; n.Idle != 0 || n.Live != 0 {
		t.Errorf("%+v sessions are left", n)
	}
}

func nameOf(targets []*target, addr string) string {
	for _, one := range targets {
		if one.addr == addr {
			return one.name
		}
	}
	return addr
}

// An operator drains a target, takes it out and brings it back, right through reloads.
func TestOperate(t *testing.T) {
	t.Parallel()
	listen, targets, ips := freeAddr(t), greeters(t, 2), clientIPs(60)
	config := balance(listen, "session_expiry 1h", targets...)
	p := startCaddy(t, config)
	homes := whoEach(t, ips[:20], listen)
	one := targets[0]
	stuck := homedAt(homes, one.name)
	open, _ := hold(t, stuck[0], listen)

	if got := p.patch(t, one, `{"state": "drain"}`); got.State != "draining" || got.Reason != "set by an operator" {
		t.Errorf("the target that drains is %+v", got)
	}
	p.reload(t, config+"\n# again\n")
	mustAgree(t, "while a target drains", whoEach(t, ips[:20], listen), homes)
	if at := homedAt(whoEach(t, ips[20:40], listen), one.name); len(at) > 0 {
		t.Errorf("%v are new clients of a target that drains", at)
	}

	if got := p.patch(t, one, `{"state": "maintenance"}`); got.State != "maintenance" {
		t.Errorf("the target in maintenance is %+v", got)
	}
	if !strings.Contains(p.Log(), `"upstream set by an operator","pool":"default","upstream":"`+one.addr+`","address":"`+one.addr+`","state":"maintenance"`) {
		t.Error("the log does not tell what was set")
	}
	if at := homedAt(whoEach(t, ips, listen), one.name); len(at) > 0 {
		t.Errorf("%v are at a target in maintenance", at)
	}
	_, _ = io.WriteString(open, "still there\n")
	if got := mustReadLine(t, open); got != "still there" {
		t.Errorf("a connection to a target in maintenance reads %q", got)
	}
	open.Close()
	await(t, "the log tells that the target is empty", func() bool { return strings.Contains(p.Log(), "upstream drained") })

	if got := p.patch(t, one, `{"state": "active", "weight": 0}`); got.State != "drained" || got.Weight != 0 {
		t.Errorf("the target without weight is %+v", got)
	}
	if got := p.patch(t, one, `{"state": "active", "max_connections": 1}`); got.State != "active" || got.Weight != 1 || got.MaxConnections != 1 {
		t.Errorf("the target that is active again is %+v", got)
	}
	var sessions struct{ Sessions int }
	p.mustAsk(t, "DELETE", "pools/default/sessions?all=true", "", &sessions)
	mustAgree(t, "after it is active again", whoEach(t, ips[:1], listen), map[string]string{ips[0]: homes[ips[0]]})
	var counted int
	for _, ip := range clientIPs(20) {
		if _, at := hold(t, ip, listen); at == one.name {
			counted++
		}
	}
	if counted != 1 {
		t.Errorf("%d connections are at a target that may have one", counted)
	}
}

// A drain with a deadline cuts nothing before that, then closes the rest at an even pace, and tells when the target is empty.
func TestDrainWithDeadline(t *testing.T) {
	t.Parallel()
	const stuck, rate = 500, 200
	listen, targets := freeAddr(t), greeters(t, 2)
	p := startCaddy(t, balance(listen, "session_expiry 1h\n"+upstream(targets[1].addr, "backup"), targets[0]))
	ips := clientIPs(stuck + 50)
	ends := make(chan time.Time, stuck)
	for _, ip := range ips[:stuck] {
		conn, at := hold(t, ip, listen)
		if at != targets[0].name {
			t.Fatalf("a client is at %s", at)
		}
		go func() {
			_, _ = conn.Read(make([]byte, 1))
			ends <- time.Now()
		}()
	}
	deadline := time.Now().Add(time.Second)
	p.patch(t, targets[0], fmt.Sprintf(`{"state": "drain", "deadline": "1s", "rate": %d}`, rate))
	for _, ip := range ips[stuck:] {
		if got := who(t, ip, listen); got != targets[1].name {
			t.Errorf("a new client is at %s, which drains", got)
		}
	}
	var times []time.Time
	for range stuck {
		select {
		case at := <-ends:
			times = append(times, at)
		case <-time.After(30 * time.Second):
			t.Fatalf("only %d of %d connections are closed", len(times), stuck)
		}
	}
	slices.SortFunc(times, time.Time.Compare)
	if early := deadline.Sub(times[0]); early > 0 {
		t.Errorf("a connection was closed %v before the deadline", early)
	}
	took := times[stuck*9/10].Sub(times[stuck/10]).Seconds()
	if pace := stuck * 8 / 10 / took; pace < rate*0.8 || pace > rate*1.2 {
		t.Errorf("%.0f connections were closed in a second, want %d", pace, rate)
	}
	await(t, "the target is drained", func() bool { return p.upstream(t, targets[0]).State == "drained" })
	await(t, "the log tells that it is drained", func() bool { return strings.Contains(p.Log(), `"upstream drained"`) })
	for _, ip := range ips[:5] {
		if got := who(t, ip, listen); got != targets[1].name {
			t.Errorf("a client that was closed is at %s again", got)
		}
	}
}

// The API explains where a client goes, and why.
func TestExplain(t *testing.T) {
	t.Parallel()
	listen, targets, ips := freeAddr(t), greeters(t, 2), clientIPs(30)
	p := startCaddy(t, balance(listen, "session_expiry 1h", targets...))
	homes := whoEach(t, ips[:10], listen)
	a, b := targets[0], targets[1]
	ofA := homedAt(homes, a.name)[0]
	type explanation struct {
		Client, Upstream, Reason, Text, Placement string
		Session                                   *struct{ Upstream string }
		Order                                     []struct {
			Address, State, Reason string
			Usable                 bool
		}
	}
	explain := func(ip string) (e explanation) {
		t.Helper()
		p.mustAsk(t, "GET", "pools/default/explain?client="+ip, "", &e)
		return e
	}
	must := func(when, ip, reason string, at *target) {
		t.Helper()
		e := explain(ip)
		if e.Reason != reason || e.Text == "" || at != nil && e.Upstream != at.addr || at == nil && e.Upstream != "" || len(e.Order) != 2 {
			t.Errorf("%s: %+v, want %s", when, e, reason)
		}
		if got, err := tryWho(ip, listen); at == nil && err == nil || at != nil && got != at.name {
			t.Errorf("%s: the client goes to %q", when, got)
		}
	}
	must("with a session", ofA, "session", a)
	var fresh string
	for _, ip := range ips[10:] {
		if e := explain(ip); e.Upstream == a.addr && e.Session == nil && e.Placement == a.addr && e.Order[0].Address == a.addr {
			fresh = ip
			break
		}
	}
	p.patch(t, a, `{"state": "drain"}`)
	must("while its target drains", ofA, "session", a)
	must("new, while a target drains", fresh, "drained", b)
	p.patch(t, a, `{"state": "maintenance"}`)
	must("in maintenance", ofA, "override", b)
	p.patch(t, a, `{"state": "active"}`)
	var forgotten struct{ Sessions int }
	p.mustAsk(t, "DELETE", "pools/default/sessions?all=true", "", &forgotten)
	must("without a session", ofA, "placement", a)
	a.kill()
	who(t, ofA, listen)
	must("after its target died", ofA, "session", b) // its session has moved
	p.mustAsk(t, "DELETE", "pools/default/sessions?all=true", "", &forgotten)
	must("while its target is dead", fresh, "failover", b)
	p.patch(t, b, `{"state": "maintenance"}`)
	must("with nothing left", ofA, "none", nil)
}

// Wrong requests get a status and an error that names what is wrong, and change nothing.
func TestAdminRefuses(t *testing.T) {
	t.Parallel()
	targets := greeters(t, 1)
	p := startCaddy(t, balance(freeAddr(t), "", targets...))
	at := "pools/default/upstreams/" + url.PathEscape(targets[0].addr)
	before := p.upstream(t, targets[0])
	for _, c := range []struct {
		method, path, body string
		status             int
		text               string
	}{
		{"GET", "pools/none", "", 404, "there is no pool 'none'"},
		{"GET", "nothing", "", 404, "there is nothing at /sticky/nothing"},
		{"GET", "pools/default/more", "", 404, "there is nothing at"},
		{"POST", "pools", "", 405, "the method POST is not one of GET"},
		{"PUT", "pools/default/sessions", "", 405, "the method PUT is not one of GET, POST, DELETE"},
		{"GET", "pools/default/upstreams/10.1.1.1:80", "", 404, "has no upstream '10.1.1.1:80'"},
		{"GET", "pools?pretty=1", "", 400, "pretty: there is no such parameter"},
		{"GET", "pools/default/sessions?limit=0", "", 400, "limit: '0' is not a whole number from 1 to 1000"},
		{"GET", "pools/default/sessions?limit=1&limit=2", "", 400, "limit: the parameter is given 2 times"},
		{"GET", "pools/default/sessions?cursor=x", "", 400, "cursor: "},
		{"GET", "pools/default/sessions?client=me", "", 400, "client: 'me' is not an IP address"},
		{"GET", "pools/default/sessions?state=dead", "", 400, "state: 'dead' is not one of live, idle"},
		{"GET", "pools/default/sessions?upstream=a:1", "", 400, "upstream: the pool 'default' has no upstream 'a:1'"},
		{"DELETE", "pools/default/sessions", "", 400, "all: "},
		{"DELETE", "pools/default/sessions?all=maybe", "", 400, "all: 'maybe' is not one of true, false"},
		{"DELETE", "pools/default/sessions?all=true&state=idle", "", 400, "all: "},
		{"GET", "pools/default/explain", "", 400, "client: "},
		{"PATCH", at, "", 400, "the body: "},
		{"PATCH", at, "{}", 400, "must be given"},
		{"PATCH", at, `{"colour": "red"}`, 400, "colour"},
		{"PATCH", at, `{"state": "drain", "deadline": "soon"}`, 400, `deadline: "soon" is not a duration such as "30s"`},
		{"PATCH", at, `{"weight": "few"}`, 400, "weight: "},
		{"PATCH", at, `{"state": "gone"}`, 400, "state: 'gone' is not one of active, drain, maintenance"},
		{"PATCH", at, `{"weight": -1}`, 400, "weight: -1 is not from 0 to 65535"},
		{"PATCH", at, `{"weight": 5, "max_connections": -1}`, 400, "max_connections: -1 is negative"},
		{"PATCH", at, `{"state": "drain", "deadline": "-1s"}`, 400, "deadline: "},
		{"PATCH", at, `{"state": "drain", "rate": 0}`, 400, "rate: "},
		{"PATCH", at, `{"weight": 5, "rate": 1}`, 409, "deadline and rate are for"},
	} {
		response, text := p.ask(t, c.method, c.path, c.body)
		var answer struct{ Error string }
		if err := json.Unmarshal(text, &answer); err != nil || response.StatusCode != c.status || !strings.Contains(answer.Error, c.text) {
			t.Errorf("%s %s %s: %s: %s, want %d: %s", c.method, c.path, c.body, response.Status, text, c.status, c.text)
		}
		if allow := response.Header.Get("Allow"); (c.status == 405) != (allow != "") {
			t.Errorf("%s %s allows %q", c.method, c.path, allow)
		}
	}
	if after := p.upstream(t, targets[0]); after.Weight != before.Weight || after.State != before.State || after.MaxConnections != before.MaxConnections {
		t.Errorf("refused requests have changed %+v to %+v", before, after)
	}
}
