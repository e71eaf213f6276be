package integration

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"
)

// A browser is a page in a real Chromium, which is told what to do by the DevTools protocol over a pipe.
type browser struct {
	t       *testing.T
	to      *os.File
	from    *bufio.Reader
	session string
	calls   int
	said    []string // errors and warnings of the page
}

// chromiums are the names that the program has in distributions.
var chromiums = []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable"}

// startBrowser opens an empty page that is so many pixels wide. The test is skipped where there is no Chromium.
func startBrowser(t *testing.T, width int) *browser {
	t.Helper()
	program := ""
	for _, name := range chromiums {
		if path, err := exec.LookPath(name); err == nil {
			program = path
			break
		}
	}
	if program == "" {
		t.Skipf("there is no Chromium (%v)", chromiums)
	}
	theirs, to, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	from, answers, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	profile, err := os.MkdirTemp("", "caddy-browser-")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--lang=en",
		"--user-data-dir="+profile, fmt.Sprintf("--window-size=%d,900", width), "--remote-debugging-pipe")
	cmd.ExtraFiles = []*os.File{theirs, answers} // the descriptors 3 and 4, as it expects
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	theirs.Close()
	answers.Close()
	watchdog := time.AfterFunc(8*patience, func() { _ = cmd.Process.Kill() }) // which ends a read that waits for ever
	t.Cleanup(func() {
		watchdog.Stop()
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		to.Close()
		from.Close()
		_ = os.RemoveAll(profile)
	})
	b := &browser{t: t, to: to, from: bufio.NewReader(from)}
	var target struct{ TargetID string }
	b.call("Target.createTarget", map[string]any{"url": "about:blank"}, &target)
	var attached struct{ SessionID string }
	b.call("Target.attachToTarget", map[string]any{"targetId": target.TargetID, "flatten": true}, &attached)
	b.session = attached.SessionID
	for _, domain := range []string{"Runtime", "Log", "Page"} {
		b.call(domain+".enable", nil, nil)
	}
	return b
}

// call sends a command and returns its result. What the page says meanwhile is kept.
func (b *browser) call(method string, params map[string]any, result any) {
	b.t.Helper()
	b.calls++
	command := map[string]any{"id": b.calls, "method": method}
	if params != nil {
		command["params"] = params
	}
	if b.session != "" {
		command["sessionId"] = b.session
	}
	text, err := json.Marshal(command)
	if err != nil {
		b.t.Fatal(err)
	}
	if _, err := b.to.Write(append(text, 0)); err != nil {
		b.t.Fatalf("%s: %v", method, err)
	}
	for {
		text, err := b.from.ReadBytes(0)
		if err != nil {
			b.t.Fatalf("%s: the browser has ended: %v", method, err)
		}
		var message struct {
			ID     int
			Method string
			Params json.RawMessage
			Result json.RawMessage
			Error  *struct{ Message string }
		}
		if err := json.Unmarshal(text[:len(text)-1], &message); err != nil {
			b.t.Fatal(err)
		}
		switch message.Method {
		case "Page.javascriptDialogOpening": // which would hold everything up
			b.t.Fatalf("a dialog opens: %s", message.Params)
		case "Runtime.exceptionThrown", "Log.entryAdded":
			b.said = append(b.said, string(message.Params))
		}
		if message.ID != b.calls {
			continue
		}
		if message.Error != nil {
			b.t.Fatalf("%s: %s", method, message.Error.Message)
		}
		if result != nil {
			if err := json.Unmarshal(message.Result, result); err != nil {
				b.t.Fatal(err)
			}
		}
		return
	}
}

// open goes to a page.
func (b *browser) open(url string) {
	b.t.Helper()
	var answer struct{ ErrorText string }
	b.call("Page.navigate", map[string]any{"url": url}, &answer)
	if answer.ErrorText != "" {
		b.t.Fatalf("opening %s: %s", url, answer.ErrorText)
	}
}

// eval returns what an expression of JavaScript is in the page, as JSON.
func (b *browser) eval(format string, args ...any) string {
	b.t.Helper()
	var answer struct {
		Result           struct{ Value json.RawMessage }
		ExceptionDetails json.RawMessage
	}
	expression := fmt.Sprintf(format, args...)
	b.call("Runtime.evaluate", map[string]any{"expression": expression, "returnByValue": true, "awaitPromise": true, "userGesture": true}, &answer)
	if answer.ExceptionDetails != nil {
		b.t.Fatalf("%s: %s", expression, answer.ExceptionDetails)
	}
	return string(answer.Result.Value)
}

// until waits until an expression is true.
func (b *browser) until(format string, args ...any) {
	b.t.Helper()
	for deadline := time.Now().Add(patience); b.eval(format, args...) != "true"; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			b.t.Fatalf("waited %v in vain until "+format+"; the page is\n%s", append(append([]any{patience}, args...), b.eval("document.body.innerText"))...)
		}
	}
}

// press presses a key and releases it.
func (b *browser) press(key, text string, code int) {
	b.t.Helper()
	for _, kind := range []string{"keyDown", "keyUp"} {
		event := map[string]any{"type": kind, "key": key, "code": key, "windowsVirtualKeyCode": code}
		if kind == "keyDown" && text != "" {
			event["text"] = text
		}
		b.call("Input.dispatchKeyEvent", event, nil)
	}
}
