package legacy

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"syscall"
	"testing"
	"time"
)

// Another user who may write into the folder cannot choose the file that the log goes to.
func TestLogElsewhere(t *testing.T) {
	const wrong = "loadbalancer.out is not a regular file with one name that belongs to the user who runs this; remove it"
	for name, c := range map[string]struct {
		put  func(log, elsewhere string) error
		says string
	}{
		"a link":      {func(log, elsewhere string) error { return os.Symlink(elsewhere, log) }, "open loadbalancer.out: too many levels of symbolic links"},
		"a hard link": {func(log, elsewhere string) error { return os.Link(elsewhere, log) }, wrong},
		"a FIFO":      {func(log, _ string) error { return syscall.Mkfifo(log, 0o600) }, "open loadbalancer.out: no such device or address"},
		"a folder":    {func(log, _ string) error { return os.Mkdir(log, 0o700) }, "open loadbalancer.out: is a directory"},
		"somebody's": {func(log, _ string) error {
			if os.Geteuid() != 0 {
				return syscall.Mkfifo(log, 0o600)
			}
			if err := os.WriteFile(log, nil, 0o666); err != nil {
				return err
			}
			return os.Chown(log, 65534, 65534)
		}, ""},
	} {
		b := newBox(t)
		b.config("config.json", "")
		log, elsewhere := filepath.Join(b.folder, logName), filepath.Join(b.folder, "elsewhere")
		b.write("elsewhere", "")
		if err := c.put(log, elsewhere); err != nil {
			t.Fatal(err)
		}
		b.expect(1, "Error: opening the log: .*"+regexp.QuoteMeta(c.says)+"\n", "start")
		if text, err := os.ReadFile(elsewhere); err != nil || len(text) > 0 {
			t.Errorf("%s: it wrote %q elsewhere (%v)", name, text, err)
		}
		if err := os.RemoveAll(log); err != nil {
			t.Error(err)
		}
	}
}

// What start has open does not reach the load balancer, which can't read its log either.
func TestDescriptors(t *testing.T) {
	b := newBox(t)
	b.config("config.json", "")
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	cmd := b.command("start")
	cmd.ExtraFiles = []*os.File{writer}
	output, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, output)
	}
	_ = writer.Close()
	_ = reader.SetReadDeadline(time.Now().Add(10 * time.Second))
	if _, err := reader.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("somebody has the other end still: %v", err)
	}
	pid := regexp.MustCompile(`PID: (\d+)`).FindSubmatch(output)
	if pid == nil {
		t.Fatalf("no PID: %s", output)
	}
	info, err := os.ReadFile(fmt.Sprintf("/proc/%s/fdinfo/1", pid[1]))
	if err != nil {
		t.Fatal(err)
	}
	flags := regexp.MustCompile(`flags:\s*(\d+)`).FindSubmatch(info)
	if flags == nil {
		t.Fatalf("no flags: %s", info)
	}
	mode, err := strconv.ParseInt(string(flags[1]), 8, 64)
	if err != nil || mode&syscall.O_ACCMODE != syscall.O_WRONLY || mode&syscall.O_APPEND == 0 {
		t.Errorf("the log is open with %s (%v)", flags[1], err)
	}
}
