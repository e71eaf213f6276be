package embedded

import (
	"math"
	"net/netip"
	"slices"
	"strings"

	"github.com/dop251/goja"
)

// rule is one of a BlockList. That of a single address has no function.
type rule struct {
	text     string
	contains func(netip.Addr) bool
}

// blockList is what net.BlockList is made of. Its functions get what a script has given them.
func (e *engine) blockList() map[string]any {
	var rules []rule
	addresses := make(map[netip.Addr]bool)
	add := func(text string, contains func(netip.Addr) bool) goja.Value {
		rules = append(rules, rule{text, contains})
		return goja.Undefined()
	}
	return map[string]any{
		"addAddress": func(call goja.FunctionCall) goja.Value {
			a := e.ipAddress(call, 0, "address")
			addresses[a.Unmap()] = true
			return add("Address: "+familyName(a)+" "+a.String(), nil)
		},
		"addRange": func(call goja.FunctionCall) goja.Value {
			from, to := e.ipAddress(call, 0, "start"), e.ipAddress(call, 2, "end")
			if order, comparable := compare(from, to); comparable && order > 0 {
				panic(e.codedError("TypeError", "ERR_INVALID_ARG_VALUE", "The argument 'start' must come before end"))
			}
			return add("Range: "+familyName(from)+" "+from.String()+"-"+to.String(), func(other netip.Addr) bool {
				first, known := compare(from, other)
				last, alsoKnown := compare(other, to)
				return known && alsoKnown && first <= 0 && last <= 0
			})
		},
		"addSubnet": func(call goja.FunctionCall) goja.Value {
			a := e.ipAddress(call, 0, "network")
			prefix := netip.PrefixFrom(a, e.prefixLength(call.Argument(2), a)).Masked()
			return add("Subnet: "+familyName(a)+" "+a.String()+"/"+call.Argument(2).String(), func(other netip.Addr) bool {
				if a.Is4() {
					return prefix.Contains(other.Unmap())
				}
				return prefix.Contains(netip.AddrFrom16(other.As16()))
			})
		},
		"check": func(call goja.FunctionCall) goja.Value {
			e.mustBeStrings(call, 0, "address")
			a, err := netip.ParseAddr(call.Argument(0).String())
			if err != nil || !strings.EqualFold(call.Argument(1).String(), familyName(a)) {
				return e.vm.ToValue(false)
			}
			a = a.WithZone("")
			return e.vm.ToValue(addresses[a.Unmap()] || slices.ContainsFunc(rules, func(r rule) bool { return r.contains != nil && r.contains(a) }))
		},
		"rules": func(goja.FunctionCall) goja.Value {
			list := make([]any, 0, len(rules))
			for _, r := range slices.Backward(rules) {
				list = append(list, r.text)
			}
			return e.vm.NewArray(list...)
		},
	}
}

func familyName(a netip.Addr) string {
	if a.Is4() {
		return "IPv4"
	}
	return "IPv6"
}

// compare puts two addresses in order. An IPv4 address and an IPv6 one can be compared if that one is mapped.
func compare(a, b netip.Addr) (order int, comparable bool) {
	if a.Is4() != b.Is4() {
		a, b = a.Unmap(), b.Unmap()
	}
	return a.Compare(b), a.Is4() == b.Is4()
}

// addressOf reads the address and the family that are the arguments from an index on, or throws.
func (e *engine) ipAddress(call goja.FunctionCall, index int, name string) netip.Addr {
	e.mustBeStrings(call, index, name)
	family := call.Argument(index + 1).String()
	if !strings.EqualFold(family, "ipv4") && !strings.EqualFold(family, "ipv6") {
		panic(e.codedError("TypeError", "ERR_INVALID_ARG_VALUE", "The property 'options.family' is invalid. Received '"+family+"'"))
	}
	a, err := netip.ParseAddr(call.Argument(index).String())
	if err != nil || !strings.EqualFold(family, familyName(a)) {
		panic(e.codedError("Error", "ERR_INVALID_ADDRESS", "Invalid socket address"))
	}
	return a.WithZone("")
}

func (e *engine) mustBeStrings(call goja.FunctionCall, index int, name string) {
	for i, name := range []string{name, "family"} {
		if !goja.IsString(call.Argument(index + i)) {
			panic(e.codedError("TypeError", "ERR_INVALID_ARG_TYPE", `The "`+name+`" argument must be of type string`))
		}
	}
}

func (e *engine) prefixLength(v goja.Value, a netip.Addr) int {
	if !goja.IsNumber(v) {
		panic(e.codedError("TypeError", "ERR_INVALID_ARG_TYPE", `The "prefix" argument must be of type number`))
	}
	n := v.ToFloat()
	if n != math.Trunc(n) || n < 0 || n > float64(a.BitLen()) {
		panic(e.codedError("RangeError", "ERR_OUT_OF_RANGE", `The value of "prefix" is out of range. Received `+v.String()))
	}
	return int(n)
}
