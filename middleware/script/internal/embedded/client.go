package embedded

import (
	"errors"
	"strings"

	"github.com/caddy-sticky/caddy-sticky/middleware/script/internal/decide"
	"github.com/caddy-sticky/caddy-sticky/middleware/script/internal/embedded/quickjs"
)

// decide asks the middlewares about a client, unless that has left.
func (e *engine) decide(number uint32) {
	c, waits := e.script.Waiting(number)
	if !waits {
		return
	}
	if c.Local != e.local {
		e.local = c.Local
		e.call(e.entry["local"], string(decide.AppendAddress(nil, c.Local.Addr())), int(c.Local.Port()), int64(number))
	}
	e.text = decide.AppendAddress(e.text[:0], c.Remote.Addr())
	address := e.vm.NewString(e.text)
	defer e.vm.Free(address)
	v, err := e.vm.Apply(e.entry["decide"], quickjs.Whole(int64(number)), address, quickjs.Whole(int64(c.Remote.Port())), quickjs.Whole(int64(c.Flags())))
	switch {
	case err != nil:
		e.thrown(err)
	case v == quickjs.True:
		e.script.Settle(number, nil)
	case quickjs.IsString(v):
		reason, _ := e.vm.Text(v)
		e.vm.Free(v)
		e.script.Settle(number, errors.New(reason))
	}
}

// clientFunctions are what decide/js/balancer.js calls about clients, given by their numbers.
func (e *engine) clientFunctions() map[string]quickjs.Function {
	of := func(f func(number uint32)) quickjs.Function { return does(func(a []any) { f(number(a[0])) }) }
	return map[string]quickjs.Function{
		"allow":  of(func(number uint32) { e.script.Settle(number, nil) }),
		"block":  does(func(a []any) { e.script.Settle(number(a[0]), errors.New(kept(a[1]))) }),
		"failed": does(func(a []any) { e.script.Failed(number(a[0]), errors.New(kept(a[1])), kept(a[2])) }),
		"follow": of(e.script.Follow),
		"kick":   of(e.script.Kick),
		"forget": does(func(a []any) { e.script.Forget(number(a[0]), number(a[1])) }),
		"owner":  func([]any) (any, error) { return int64(e.owner.Load()), nil },
		// work has what runs next be for a client, or for none. It returns for whom it was before.
		"work": func(a []any) (any, error) { return int64(e.owner.Swap(number(a[0]))), nil },
		// belongs says that a promise is that of a client's middleware.
		"belongs": does(func(a []any) {
			e.tagged = true
			e.vm.Tag(a[0].(quickjs.Value), number(a[1]))
		}),
		"askTarget": func(a []any) (any, error) {
			return e.script.AskTarget(a[0].(string), a[1].(string), a[2].(float64), e.ready.Load())
		},
	}
}

// kept is a text that stays after the call, with which long ones end that are arguments.
func kept(argument any) string { return strings.Clone(argument.(string)) }

// number is that of a client.
func number(argument any) uint32 {
	n, _ := argument.(float64)
	return uint32(int64(n))
}

// workingFor returns the client whose asynchronous middleware waits for a promise, be it by way of other promises and
// asynchronous functions, or zero.
func (e *engine) workingFor(promise quickjs.Value) uint32 {
	const far = 100
	for range far {
		if number := e.vm.Tagged(promise); number != 0 {
			return number
		}
		next, ok := quickjs.Waiting(promise)
		if !ok {
			return 0
		}
		promise = next
	}
	return 0
}
