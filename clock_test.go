package sticky

import (
	"go/ast"
	"go/token"
	"go/types"
	"maps"
	"slices"
	"testing"
)

// strippers are the methods of a time.Time and the functions of package time whose results have no reading of the
// monotonic clock: whoever reckons with them goes wrong when somebody sets the wall clock.
var strippers = []string{
	"Unix", "UnixMilli", "UnixMicro", "UnixNano", "Round", "Truncate", "UTC", "Local", "In", "AddDate", "Date", "Parse", "ParseInLocation",
}

// wallClock are the places where the time of day is meant, or a moment that is always over.
var wallClock = map[string]string{
	"l4sticky/changes.go Round":                             "a time in the log, and for the handlers of events",
	"l4sticky/internal/persist/read.go UnixMilli":           "when sessions expire while no process runs",
	"l4sticky/internal/persist/write.go UnixMilli":          "when sessions expire while no process runs",
	"l4sticky/internal/relay/relay.go Unix":                 "a deadline that is always over",
	"l4sticky/keepkey.go UTC":                               "a time in the name of a file",
	"l4sticky/shareoverride.go UnixMilli":                   "when a drain began, for other machines",
	"middleware/script/internal/embedded/files.go UnixNano": "the time of a file, for a script",
}

// TestClock sees to it that nothing of ours reckons with the wall clock, which may be set at any time: neither by
// readings without the monotonic clock, nor by comparing times with == (which compares the readings of both).
func TestClock(t *testing.T) {
	unused := maps.Clone(wallClock)
	for _, s := range typedSources(t) {
		ast.Inspect(s.file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.SelectorExpr:
				object := s.info.Uses[n.Sel]
				if !isOfTime(object) || !slices.Contains(strippers, object.Name()) {
					break
				}
				place := s.path + " " + object.Name()
				if _, allowed := wallClock[place]; !allowed {
					t.Errorf("%s: %s has no reading of the monotonic clock", s.position(n), object.Name())
				}
				delete(unused, place)
			case *ast.BinaryExpr:
				if (n.Op == token.EQL || n.Op == token.NEQ) && isTime(s.info.TypeOf(n.X)) {
					t.Errorf("%s: times are compared by %s", s.position(n), n.Op)
				}
			}
			return true
		})
	}
	for place := range unused {
		t.Errorf("%s is listed as an exception and not there", place)
	}
}

// isOfTime reports whether an object is a function of package time or a method of its Time.
func isOfTime(object types.Object) bool {
	f, ok := object.(*types.Func)
	if !ok || f.Pkg() == nil || f.Pkg().Path() != "time" {
		return false
	}
	receiver := f.Signature().Recv()
	return receiver == nil || isTime(receiver.Type())
}

func isTime(t types.Type) bool {
	named, ok := types.Unalias(t).(*types.Named)
	return ok && named.Obj().Name() == "Time" && named.Obj().Pkg() != nil && named.Obj().Pkg().Path() == "time"
}
