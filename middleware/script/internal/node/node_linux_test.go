package node

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// The process has none of the capabilities that Caddy may have, gets none, and has no descriptors but its own.
func TestRights(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root")
	}
	folder := t.TempDir()
	if err := os.Chmod(filepath.Dir(folder), 0o755); err != nil {
		t.Fatal(err)
	}
	script, program := filepath.Join(folder, "balancer.js"), filepath.Join(folder, "test")
	write(t, script, `const fs = require('fs');
		console.log(fs.readFileSync('/proc/self/status', 'utf8').match(/^(Cap...|NoNewPrivs|Uid):.*/gm).join(';').replace(/\s+/g, ' ') + ';');
		console.log('files ' + fs.readdirSync('/proc/self/fd').map((fd) => { try { return fs.readlinkSync('/proc/self/fd/' + fd); } catch { return ''; } })
			.map((name) => name.replace(/\d+/, '')).filter((name) => !/^(pipe:|anon_inode:|$|\/dev\/null)/.test(name)).sort().join() + '.');
		exports.run = () => {};`)
	if err := os.Chmod(script, 0o644); err != nil {
		t.Fatal(err)
	}
	binary, err := os.ReadFile(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(program, binary, 0o755); err != nil {
		t.Fatal(err)
	}
	parent := exec.Command(program)
	parent.Env = append(os.Environ(), "NODE_TEST_PARENT="+script)
	parent.SysProcAttr = &syscall.SysProcAttr{
		Credential:  &syscall.Credential{Uid: 65534, Gid: 65534},
		AmbientCaps: []uintptr{10}, // CAP_NET_BIND_SERVICE
	}
	extra, err := os.Open("/etc/hostname")
	if err != nil {
		t.Fatal(err)
	}
	defer extra.Close()
	parent.ExtraFiles = []*os.File{extra}
	output, _ := parent.CombinedOutput()
	for _, want := range []string{
		"Uid: 65534 65534 65534 65534;", "CapInh: 0000000000000400;", "CapPrm: 0000000000000000;", "CapEff: 0000000000000000;", "CapAmb: 0000000000000000;",
		"NoNewPrivs: 1;", `"files /memfd:script (deleted)."`,
	} {
		if !strings.Contains(string(output), want) {
			t.Errorf("the script does not see %q, but\n%s", want, output)
		}
	}
}
