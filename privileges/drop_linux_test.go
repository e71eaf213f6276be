package privileges

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
	"kernel.org/pub/linux/libs/security/libcap/cap"
)

// as names in the environment what the test binary is to become before it tells what it thinks of nobody.
const as = "PRIVILEGES_TEST_AS"

const nobodyID = 65534

func TestMain(m *testing.M) {
	become, asked := processes[os.Getenv(as)]
	if !asked {
		os.Exit(m.Run())
	}
	if err := become(); err != nil {
		fmt.Println("test:", err)
		os.Exit(1)
	}
	nobody, err := Lookup("nobody")
	if err != nil {
		fmt.Println("test:", err)
		os.Exit(1)
	}
	fmt.Println("current:", nobody.checkCurrent())
	fmt.Println("dropped:", nobody.Drop())
	fmt.Println("at last:", nobody.checkCurrent())
}

// keeping becomes nobody with these capabilities permitted.
func keeping(kept ...cap.Value) error {
	if err := cap.SetUID(nobodyID); err != nil {
		return err
	}
	set := cap.NewSet()
	if err := set.SetFlag(cap.Permitted, true, kept...); err != nil {
		return err
	}
	return set.SetProc()
}

// inGroups joins a group, and others besides.
func inGroups(gid int, others ...int) error {
	if err := syscall.Setgroups(others); err != nil {
		return err
	}
	return syscall.Setresgid(gid, gid, gid)
}

// processes are ways to be nobody, more or less.
var processes = map[string]func() error{
	"nobody": func() error {
		if err := inGroups(nobodyID, 33); err != nil {
			return err
		}
		return keeping()
	},
	"nobody who may bind": func() error {
		if err := inGroups(nobodyID); err != nil {
			return err
		}
		return keeping(cap.NET_BIND_SERVICE)
	},
	"in root's group": func() error {
		if err := inGroups(0); err != nil {
			return err
		}
		return keeping()
	},
	"in root's group, too": func() error {
		if err := inGroups(nobodyID, 0); err != nil {
			return err
		}
		return keeping()
	},
	"with root's rights": func() error {
		if err := inGroups(nobodyID); err != nil {
			return err
		}
		return keeping(cap.NET_BIND_SERVICE, cap.DAC_OVERRIDE)
	},
	"able to become root": func() error { return keeping(cap.SETUID, cap.SETGID, cap.DAC_OVERRIDE) },
	"root underneath":     func() error { return syscall.Setresuid(0, nobodyID, 0) },
	"unmapped":            func() error { return nil },
}

// To run with the user's effective UID is not enough where more of root is left.
func TestLeftOver(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root has privileges to drop")
	}
	const nothing = "<nil>"
	for name, c := range map[string]struct{ current, dropped string }{
		"nobody":               {nothing, nothing},
		"nobody who may bind":  {nothing, nothing},
		"in root's group":      {"still with root's group: start it", "still with root's group: start it"},
		"in root's group, too": {"still with root's group: start it", "still with root's group: start it"},
		"with root's rights":   {"still with cap_dac_override: start it", "still with cap_dac_override: start it"},
		"able to become root":  {"still with root's group, cap_dac_override, cap_setgid, cap_setuid: start it", nothing},
		"root underneath":      {"still with UID 0, root's group, cap_chown", nothing},
		"unmapped":             {"a UID that the user namespace has no mapping for", "a UID that the user namespace has no mapping for"},
	} {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), as+"="+name, "GORACE=atexit_sleep_ms=0")
		if name == "unmapped" {
			cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWUSER}
		}
		output, err := cmd.CombinedOutput()
		if err != nil {
			t.Errorf("%s: %v: %s", name, err, output)
			continue
		}
		lines := strings.Split(string(output), "\n")
		for i, want := range []string{c.current, c.dropped, c.dropped} {
			if !strings.Contains(lines[i], want) {
				t.Errorf("%s: got %q, want %q", name, lines[i], want)
			}
		}
	}
}
