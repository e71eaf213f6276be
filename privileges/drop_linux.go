package privileges

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
	"kernel.org/pub/linux/libs/security/libcap/cap"
)

// Drop makes this process, with all its threads, the user's: it gets the user's UID and group, no supplementary
// groups, and of root's capabilities only CAP_NET_BIND_SERVICE, permitted but not in effect. Caddy puts that into
// effect for the moment in which it binds a low port. No program that the process runs gets more.
//
// Drop changes nothing about a process that is the user's already, and returns an error for a process of another user
// than root. After any other error the process may have lost some of its privileges, and must end.
func (u *User) Drop() error {
	if u.IsCurrent() {
		return nil
	}
	if !u.mayDrop() {
		return u.checkCurrent()
	}
	uid, gid, err := u.ids()
	if err != nil {
		return err
	}
	kept, err := bindOnly()
	if err != nil {
		return err
	}
	if err := limitCapabilities(); err != nil {
		return err
	}
	// The group goes first, while the process may still change it. Capabilities outlast the change of the
	// user only because SetUID sees to it; so they are dropped last.
	if err := cap.SetGroups(gid); err != nil {
		return fmt.Errorf("changing to the group of '%s': %w", u.Name, err)
	}
	if err := cap.SetUID(uid); err != nil {
		return fmt.Errorf("becoming '%s': %w", u.Name, err)
	}
	if err := kept.SetProc(); err != nil {
		return fmt.Errorf("dropping capabilities: %w", err)
	}
	// The kernel has hidden the process from its own user, and with it /proc/self, which metrics are read from.
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("making /proc/self readable: %w", err)
	}
	return u.checkCurrent()
}

// mayDrop reports whether this process is root's, or the user's with the right to change what is root's about it.
func (u *User) mayDrop() bool {
	euid := os.Geteuid()
	return euid == 0 || strconv.Itoa(euid) == u.uid && permitted(cap.SETUID) && permitted(cap.SETGID)
}

// maxNamed is how many capabilities an error names.
const maxNamed = 3

// leftOver returns the names of all rights that a process with the user's effective UID has beyond those of the user.
func (u *User) leftOver() (left []string, err error) {
	real, effective, saved := unix.Getresuid()
	for _, uid := range slices.Compact([]int{real, saved}) {
		if uid != effective {
			left = append(left, fmt.Sprintf("UID %d", uid))
		}
	}
	groups, err := unix.Getgroups()
	if err != nil {
		return nil, err
	}
	gid, egid, sgid := unix.Getresgid()
	if u.gid != "0" && slices.Contains(append(groups, gid, egid, sgid), 0) {
		left = append(left, "root's group")
	}
	var capabilities []string
	for c := range cap.MaxBits() {
		if c != cap.NET_BIND_SERVICE && permitted(c) {
			capabilities = append(capabilities, c.String())
		}
	}
	if len(capabilities) > maxNamed {
		capabilities = append(capabilities[:maxNamed], "other capabilities")
	}
	left = append(left, capabilities...)
	// The kernel shows all UIDs without a mapping as that of the user nobody.
	switch mapped, err := isMapped(effective); {
	case err != nil:
		return nil, err
	case !mapped:
		left = append(left, "a UID that the user namespace has no mapping for")
	}
	return left, nil
}

// isMapped reports whether a UID is that of a user in this user namespace.
func isMapped(uid int) (bool, error) {
	text, err := os.ReadFile("/proc/self/uid_map")
	if errors.Is(err, fs.ErrNotExist) {
		return true, nil // /proc is not mounted
	}
	for line := range strings.Lines(string(text)) {
		var first, outside, count int64
		if _, err := fmt.Sscan(line, &first, &outside, &count); err != nil {
			return false, err
		}
		if id := int64(uid); first <= id && id < first+count {
			return true, nil
		}
	}
	return false, err
}

// owns reports whether the path is a folder that belongs to the user.
func (u *User) owns(folder string) bool {
	info, err := os.Stat(folder)
	if err != nil || !info.IsDir() {
		return false
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && strconv.Itoa(int(stat.Uid)) == u.uid
}

// chown makes the user the owner of a file.
func (u *User) chown(path string) error {
	uid, gid, err := u.ids()
	if err != nil {
		return err
	}
	return os.Lchown(path, uid, gid)
}

func (u *User) ids() (uid, gid int, err error) {
	if uid, err = strconv.Atoi(u.uid); err != nil {
		return 0, 0, fmt.Errorf("the UID of '%s': %w", u.Name, err)
	}
	if gid, err = strconv.Atoi(u.gid); err != nil {
		return 0, 0, fmt.Errorf("the GID of '%s': %w", u.Name, err)
	}
	return uid, gid, nil
}

// permitted reports whether this process has a capability, or may put it into effect.
func permitted(c cap.Value) bool {
	has, err := cap.GetProc().GetFlag(cap.Permitted, c)
	return err == nil && has
}

// bindOnly returns a set with the capability to bind low ports, if the process has that.
func bindOnly() (*cap.Set, error) {
	kept := cap.NewSet()
	if err := kept.SetFlag(cap.Permitted, permitted(cap.NET_BIND_SERVICE), cap.NET_BIND_SERVICE); err != nil {
		return nil, fmt.Errorf("choosing capabilities: %w", err)
	}
	return kept, nil
}

// limitCapabilities keeps this process from getting capabilities by running a program that has them.
func limitCapabilities() error {
	if _, err := cap.Prctlw(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("giving up new privileges: %w", err)
	}
	if !permitted(cap.SETPCAP) {
		return nil
	}
	limits := cap.NewIAB()
	for c := range cap.MaxBits() {
		if err := limits.SetVector(cap.Bound, c != cap.NET_BIND_SERVICE, c); err != nil {
			return fmt.Errorf("choosing capabilities: %w", err)
		}
	}
	if err := limits.SetProc(); err != nil {
		return fmt.Errorf("bounding capabilities: %w", err)
	}
	return nil
}
