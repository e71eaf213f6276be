package embedded

import (
	"errors"
	"regexp"
	"strconv"

	"github.com/dop251/goja"

	"github.com/caddy-sticky/caddy-sticky/middleware/script/internal/decide"
)

// followPromises keeps track of whom promises work for, and of rejections that nobody handles.
func (e *engine) followPromises() {
	e.vm.SetAsyncContextTracker((*owners)(e))
	e.vm.SetPromiseRejectionTracker(func(p *goja.Promise, operation goja.PromiseRejectionOperation) {
		if operation == goja.PromiseRejectionReject {
			e.rejections[p] = e.owner.Load()
		} else {
			delete(e.rejections, p)
		}
	})
}

// owners makes the callback of a promise belong to the client for whom it was given.
type owners engine

func (o *owners) Grab() any { return o.owner.Load() }

func (o *owners) Resumed(d any) { o.owner.Store(d.(*decide.Decision)) }

func (o *owners) Exited() { o.owner.Store(o.working) }

// reportRejections blocks the clients for whom a promise was rejected, if nothing handled that by the end of
// the stretch.
func (e *engine) reportRejections() {
	for p, d := range e.rejections {
		delete(e.rejections, p)
		e.owner.Store(d)
		e.uncaught(e.rejected(p.Result()))
	}
}

func (e *engine) rejected(value goja.Value) error {
	r := &rejection{value: value}
	if object, ok := value.(*goja.Object); ok {
		e.vm.Try(func() { r.stack = nilSafe(object.Get("stack")).String() })
	}
	r.text = placeIn(r.stack) + e.nameOf(value) + e.reason(value)
	return r
}

// frame is the file, line and column in a line of goja's stacks.
var frame = regexp.MustCompile(`(?m)((?:/|[A-Za-z]:\\).*):(\d+):(\d+)\(\d+\)\)?$`)

// placeIn returns the innermost place that the text of a stack names in a file of the user's.
func placeIn(stack string) string {
	for _, match := range frame.FindAllStringSubmatch(stack, -1) {
		if isUserFile(match[1]) {
			line, _ := strconv.Atoi(match[2])
			column, _ := strconv.Atoi(match[3])
			return placeAt(match[1], line, column)
		}
	}
	return ""
}

// rejection is the reason of a rejected promise as an error.
type rejection struct {
	value goja.Value
	text  string
	stack string
}

func (r *rejection) Error() string { return r.text }

// thrown returns the value that was thrown, or with which a promise was rejected.
func thrown(vm *goja.Runtime, err error) goja.Value {
	var exception *goja.Exception
	var rejected *rejection
	switch {
	case errors.As(err, &exception):
		return exception.Value()
	case errors.As(err, &rejected):
		return rejected.value
	}
	return vm.NewGoError(err)
}
