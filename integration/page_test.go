package integration

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
)

// startPage runs a balancer whose admin endpoint a browser reaches, and returns the address of its page.
func startPage(t *testing.T, config string) (p *balancerProcess, admin, url string) {
	t.Helper()
	admin = freeAddr(t)
	p = launchPage(t, admin, config)
	return p, admin, "http://" + admin + "/sticky/"
}

func launchPage(t *testing.T, admin, config string) *balancerProcess {
	t.Helper()
	options := fmt.Sprintf("{\nadmin %s {\norigins %[1]s \"\"\n}\n", admin)
	path, adapter := writeConfig(t, strings.Replace(config, "{\n", options, 1))
	p := launch(t, "CADDY_ADMIN="+admin, "run", "--config", path, "--adapter", adapter)
	p.admin = &http.Client{Transport: toHost(admin)}
	return p
}

// toHost sends requests to an address, whatever the host in the URL.
type toHost string

func (h toHost) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.URL.Host, r.Host, r.Close = string(h), "", true
	return http.DefaultTransport.RoundTrip(r)
}

// mustBeQuiet fails if the page has said anything but what is expected.
func (b *browser) mustBeQuiet(expected ...string) {
	b.t.Helper()
	for _, line := range b.said {
		known := false
		for _, part := range expected {
			known = known || strings.Contains(line, part)
		}
		if !known {
			b.t.Errorf("the page says %s", line)
		}
	}
}

// row is the expression of the row of an upstream.
func row(address string) string {
	return fmt.Sprintf(`[...document.querySelectorAll("tbody tr")].find((r) => r.querySelector("th")?.textContent === %q)`, address)
}

// press presses a button of a row.
func button(address, name string) string {
	return fmt.Sprintf(`[...%s.querySelectorAll("button")].find((b) => b.textContent === %q && !b.hidden)`, row(address), name)
}

// The page shows what the API tells, and each of its buttons does what it says.
func TestPage(t *testing.T) {
	t.Parallel()
	b := startBrowser(t, 1280)
	listen, targets, ip := freeAddr(t), greeters(t, 2), "127.0.0.2"
	p, _, url := startPage(t, balance(listen, "session_expiry 1h", targets...))
	t.Cleanup(func() { p.end(t) })
	_, at := hold(t, ip, listen)
	home := named(t, targets, at)
	who(t, "127.0.0.3", listen)
	b.open(url)
	b.until(`%s?.innerText.includes("1\u00a0live") === true`, row(home.addr))

	for _, step := range []struct{ button, confirm, deadline, state, said string }{
		{"Drain", "yes", "1h", "draining", "is draining now"},
		{"Maintenance", "", "", "draining", ""},
		{"Maintenance", "yes", "", "maintenance", "is maintenance now"},
		{"Activate", "yes", "", "active", "is active now"},
		{"Drain", "yes", "x", "active", "is not a duration"},
	} {
		b.until(`!!%s`, button(home.addr, step.button))
		b.eval(`%s.click()`, button(home.addr, step.button))
		b.until(`document.querySelector("dialog").open && document.getElementById("question").textContent.includes(%q)`, home.addr)
		b.eval(`document.querySelector("dialog input").value = %q`, step.deadline)
		b.eval(`document.querySelector('dialog button[value="%s"]').click()`, step.confirm)
		b.until(`!document.querySelector("dialog").open`)
		b.until(`(document.getElementById("done").textContent + document.getElementById("failed").textContent).includes(%q)`, step.said)
		if got := p.upstream(t, home).State; got != step.state {
			t.Errorf("after %+v it is %s", step, got)
		}
	}

	look := func(button, client, upstream, state string) {
		t.Helper()
		b.eval(`document.getElementById("found").replaceChildren(); for (const [name, value] of Object.entries({client: %q, upstream: %q, state: %q})) lookup.elements[name].value = value; lookup.elements.%s.click()`, client, upstream, state, button)
	}
	look("sessions", "", "", "live")
	b.until(`document.querySelectorAll("#found tbody tr").length === 1 && document.querySelector("#found td").textContent === %q`, ip)
	look("sessions", "", home.addr, "")
	b.until(`document.querySelectorAll("#found tbody tr").length >= 1`)
	look("explain", ip, "", "")
	b.until(`document.getElementById("found").textContent.startsWith(%q)`, ip+" goes to "+home.addr+": the client has a session there.")
	if got := b.eval(`document.activeElement.id`); got != `"found"` {
		t.Errorf("the focus is at %s, not at what was found", got)
	}
	look("explain", "x", "", "")
	b.until(`document.getElementById("failed").textContent === "client: 'x' is not an IP address"`)
	b.mustBeQuiet("400 (Bad Request)")
}

// Sessions are shown page by page.
func TestPageOfSessions(t *testing.T) {
	t.Parallel()
	b := startBrowser(t, 1280)
	const count = 250
	listen, targets := freeAddr(t), greeters(t, 1)
	p, _, url := startPage(t, balance(listen, "session_expiry 1h", targets...))
	t.Cleanup(func() { p.end(t) })
	whoEach(t, clientIPs(count), listen)
	b.open(url)
	b.until(`document.querySelectorAll("option").length === 4`)
	b.eval(`lookup.elements.sessions.click()`)
	seen := 0
	for _, rows := range []int{100, 100, 50} {
		b.until(`document.querySelectorAll("#found tbody tr").length === %d`, rows)
		seen += rows
		if more := b.eval(`document.querySelectorAll("#found button").length`); more != strconv.Itoa(min(1, count-seen)) {
			t.Errorf("after %d sessions there are %s buttons", seen, more)
		}
		b.eval(`document.querySelector("#found button")?.click(); document.querySelector("#found table").remove()`)
	}
	b.mustBeQuiet()
}

// The page can be used by keyboard: the dialog takes the focus, Escape leaves everything as it is, and the focus comes back.
func TestPageByKeyboard(t *testing.T) {
	t.Parallel()
	b := startBrowser(t, 1280)
	listen, targets := freeAddr(t), greeters(t, 1)
	p, _, url := startPage(t, balance(listen, "", targets...))
	t.Cleanup(func() { p.end(t) })
	b.open(url)
	drain := button(targets[0].addr, "Drain")
	b.until(`!!%s`, row(targets[0].addr))
	b.press("Tab", "", 9)
	if got := b.eval(`document.activeElement === %s && document.activeElement.getAttribute("aria-label")`, drain); got != `"Drain `+targets[0].addr+`"` {
		t.Errorf("the first thing that Tab reaches is %s", got)
	}
	b.press("Enter", "\r", 13)
	b.until(`document.querySelector("dialog").open && document.querySelector("dialog").contains(document.activeElement)`)
	b.press("Escape", "", 27)
	b.until(`!document.querySelector("dialog").open && document.activeElement === %s`, drain)
	b.eval(`look()`) // which comes after what the dialog has asked for
	if got := b.eval(`performance.getEntriesByType("resource").filter((e) => e.name.includes("upstreams")).length`); got != "0" {
		t.Errorf("Escape sends %s requests", got)
	}
	b.press("Enter", "\r", 13)
	b.until(`document.querySelector("dialog").open`)
	b.press("Enter", "\r", 13) // in the field for the deadline
	b.until(`document.getElementById("done").textContent.includes("now")`)
	if got := p.upstream(t, targets[0]).State; got != "drained" {
		t.Errorf("after Enter it is %s", got)
	}
	unnamed := b.eval(`[...document.querySelectorAll("button, input, select, section, table")].filter((e) => !e.hidden && !e.textContent.trim() && !e.labels?.length && !e.getAttribute("aria-labelledby")).length`)
	if unnamed != "0" {
		t.Errorf("%s elements have no name", unnamed)
	}
	b.mustBeQuiet()
}

// Names are shown as they are, whatever they would be as markup, and nothing may run that is not the page's own.
func TestPageWithHostileNames(t *testing.T) {
	t.Parallel()
	b := startBrowser(t, 1280)
	listen, other, targets := freeAddr(t), freeAddr(t), greeters(t, 1)
	const name = "<script>alert(1)</script><img src=x onerror=alert(2)>/../\u202e%2F?#'"
	p, _, url := startPage(t, caddyfile(
		server{listen, "sticky_proxy " + targets[0].addr + " {\npool `" + name + "`\n}"},
		server{other, "sticky_proxy `unix//tmp/<img src=x onerror=alert(3)>` {\npool second\n}"},
	))
	t.Cleanup(func() { p.end(t) })
	b.open(url)
	b.until(`[...document.querySelectorAll("h2")].some((h) => h.textContent === %q)`, name)
	b.until(`!!%s`, row("unix//tmp/<img src=x onerror=alert(3)>"))
	if got := b.eval(`document.querySelectorAll("img, script").length`); got != "1" {
		t.Errorf("%s images and scripts are in the page", got)
	}
	b.eval(`lookup.elements.pool.value = %q; lookup.elements.client.value = "127.0.0.1"; lookup.elements.explain.click()`, name)
	b.until(`document.getElementById("found").textContent.includes("goes to %s")`, targets[0].addr)
	b.eval(`%s.click()`, button(targets[0].addr, "Drain"))
	b.eval(`document.getElementById("confirm").click()`)
	b.until(`document.getElementById("done").textContent.includes("drained now")`)
	b.mustBeQuiet()
	// Markup that came into the page all the same would do nothing.
	b.eval(`document.body.insertAdjacentHTML("beforeend", '<img src=x onerror="window.hit = true"><a href="javascript:window.hit = true" id="trap">x</a>'); document.getElementById("trap").click()`)
	b.eval(`new Promise((done) => { const s = document.createElement("script"); s.textContent = "window.hit = true"; document.body.append(s); setTimeout(done, 100) })`)
	if got := b.eval(`window.hit === undefined`); got != "true" {
		t.Error("a foreign script has run")
	}
	response, _ := p.ask(t, "GET", "", "")
	for header, want := range map[string]string{
		"Content-Type":            "text/html; charset=utf-8",
		"X-Content-Type-Options":  "nosniff",
		"Content-Security-Policy": "default-src 'none'; script-src 'sha256-",
	} {
		if got := response.Header.Get(header); !strings.HasPrefix(got, want) {
			t.Errorf("%s is %q", header, got)
		}
	}
	if policy := response.Header.Get("Content-Security-Policy"); !strings.Contains(policy, "frame-ancestors 'none'") || strings.Contains(policy, "unsafe") {
		t.Errorf("the policy is %s", policy)
	}
}

// A thousand upstreams are shown on a phone's width, without anything that sticks out, and looked at again and again.
func TestPageWithThousandUpstreams(t *testing.T) {
	t.Parallel()
	b := startBrowser(t, 500)
	listen := freeAddr(t)
	p, _, url := startPage(t, balance(listen, "pool "+strings.Repeat("long", 30)+"\nupstream 127.0.0.9:20000-20999"))
	t.Cleanup(func() { p.end(t) })
	b.open(url)
	b.until(`document.querySelectorAll("tbody tr").length === 1000`)
	b.call("Emulation.setDeviceMetricsOverride", map[string]any{"width": 360, "height": 800, "deviceScaleFactor": 1, "mobile": true}, nil)
	b.eval(`window.first = document.querySelector("tbody tr"); window.looks = performance.getEntriesByType("resource").length`)
	b.until(`performance.getEntriesByType("resource").length > window.looks + 1`)
	if got := b.eval(`window.first === document.querySelector("tbody tr") && document.querySelectorAll("tbody tr").length === 1000`); got != "true" {
		t.Error("the rows are others after the next look")
	}
	if got := b.eval(`document.documentElement.scrollWidth <= document.documentElement.clientWidth`); got != "true" {
		t.Error("something sticks out at the side")
	}
	b.mustBeQuiet()
}

// The page says that the endpoint is away, and goes on when it is back.
func TestPageWhenEndpointIsAway(t *testing.T) {
	t.Parallel()
	b := startBrowser(t, 1280)
	listen, targets := freeAddr(t), greeters(t, 2)
	p, admin, url := startPage(t, balance(listen, "", targets[0]))
	b.open(url)
	b.until(`!!%s`, row(targets[0].addr))
	p.end(t)
	b.until(`document.querySelector('#status[role="status"]').textContent.includes("does not answer") && document.body.classList.contains("stale")`)
	b.eval(`%s.click()`, button(targets[0].addr, "Drain"))
	b.eval(`document.getElementById("confirm").click()`)
	b.until(`document.querySelector('#failed[role="alert"]').textContent !== ""`)
	again := launchPage(t, admin, balance(listen, "", targets[1]))
	t.Cleanup(func() { again.end(t) })
	b.until(`document.getElementById("status").textContent.startsWith("Up to date; the admin endpoint was away for") && !document.body.classList.contains("stale")`)
	b.until(`!!%s && !%s`, row(targets[1].addr), row(targets[0].addr))
	b.mustBeQuiet("ERR_CONNECTION_REFUSED")
}

// With the empty origin that the page needs, other sites are refused as without it.
func TestPageFromAnotherSite(t *testing.T) {
	t.Parallel()
	listen, targets := freeAddr(t), greeters(t, 1)
	p, admin, url := startPage(t, balance(listen, "", targets...))
	t.Cleanup(func() { p.end(t) })
	for _, c := range []struct {
		method, path, host string
		headers            map[string]string
		want               int
	}{
		{"GET", "", admin, map[string]string{"Sec-Fetch-Mode": "navigate"}, http.StatusOK}, // an address that was typed
		{"GET", "pools", admin, map[string]string{"Sec-Fetch-Mode": "cors", "Referer": url}, http.StatusOK},
		{"GET", "pools", admin, map[string]string{"Sec-Fetch-Mode": "cors", "Origin": "http://evil.example"}, http.StatusForbidden},
		{"GET", "pools", admin, map[string]string{"Sec-Fetch-Mode": "no-cors"}, http.StatusBadRequest},
		{"POST", "pools/default/rebalance", admin, map[string]string{"Sec-Fetch-Mode": "navigate", "Origin": "http://evil.example"}, http.StatusForbidden},
		{"POST", "pools/default/rebalance", admin, map[string]string{"Sec-Fetch-Mode": "navigate", "Origin": "null"}, http.StatusBadRequest},
		{"GET", "", "evil.example", map[string]string{"Sec-Fetch-Mode": "navigate"}, http.StatusForbidden},
	} {
		request, err := http.NewRequest(c.method, "http://"+admin+"/sticky/"+c.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Host, request.Close = c.host, true
		for name, value := range c.headers {
			request.Header.Set(name, value)
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != c.want {
			t.Errorf("%+v is answered by %s", c, response.Status)
		}
	}
}
