package embedded

import (
	"fmt"
	"testing"
)

// Deep equality is Node's: loose, and strict.
func TestDeepEqual(t *testing.T) {
	head := `
		const assert = require('assert'), { isDeepStrictEqual } = require('util');
		class P { constructor(x) { this.x = x; } }
		class Q { constructor(x) { this.x = x; } }
		const symbol = Symbol();
		const cyclic = (o) => { o.self = o; return o; };
		const holds = (f) => { try { f(); return true; } catch (e) { if (e.code !== 'ERR_ASSERTION') throw e; return false; } };
		const compare = (a, b) => {
			const loose = holds(() => assert.deepEqual(a, b)), strict = holds(() => assert.deepStrictEqual(a, b));
			if (loose === holds(() => assert.notDeepEqual(a, b)) || strict === holds(() => assert.notDeepStrictEqual(a, b))) return 'notDeepEqual';
			return strict !== isDeepStrictEqual(a, b) ? 'isDeepStrictEqual' : strict ? (loose ? 'both' : 'strict') : loose ? 'loose' : 'none';
		};`
	var cases [][2]string
	for want, pairs := range map[string][]string{
		"both": {
			"NaN, NaN", "{ a: 1, b: [{}] }, { b: [{}], a: 1 }", "new Date(0), new Date(0)", "/a/g, /a/g", "new Error('a'), new Error('a')",
			"new Number(NaN), new Number(NaN)", "new Map([[{ a: 1 }, 2], [{ a: 1 }, 3]]), new Map([[{ a: 1 }, 3], [{ a: 1 }, 2]])",
			"new Set([[1, 2], [3]]), new Set([[3], [1, 2]])", "new Uint8Array([1]).buffer, new Uint8Array([1]).buffer",
			"Buffer.from('a'), Buffer.from('a')", "cyclic({}), cyclic({})", "cyclic([]), cyclic([])", "Object(1n), Object(1n)",
			"new DataView(new ArrayBuffer(1)), new DataView(new ArrayBuffer(1))",
		},
		"loose": {
			"1, '1'", "0, -0", "null, undefined", "{ a: 1 }, { a: '1' }", "new P(1), new Q(1)", "new P(1), { x: 1 }", "Object.create(null), {}",
			"new Set([1]), new Set(['1'])", "new Map([['1', 2]]), new Map([[1, '2']])", "{ [symbol]: 1 }, {}", "1n, 1",
			"Buffer.from('a'), new Uint8Array([97])", "new Float64Array([0]), new Float64Array([-0])",
		},
		"none": {
			"null, {}", "{}, []", "[1, 2], [2, 1]", "[1, , 3], [1, undefined, 3]", "{ a: undefined }, { b: undefined }", "new Date(0), new Date(1)",
			"new Date(0), {}", "/a/g, /a/i", "new Error('a'), new Error('b')", "new Error('a'), new TypeError('a')",
			"Object.assign(new Error('a'), { code: 1 }), new Error('a')", "new Error('a', { cause: 1 }), new Error('a', { cause: 2 })",
			"new Number(1), new Number(2)", "new String('a'), new String('b')", "new Boolean(true), new Boolean(false)", "new Number(1), 1",
			"new Map([[1, 2]]), new Map([[1, 3]])", "new Map([[1, undefined]]), new Map([[2, undefined]])",
			"new Set([{ a: 1 }, { a: 1 }]), new Set([{ a: 1 }, { a: 2 }])", "new Uint8Array([1]).buffer, new Uint8Array([2]).buffer",
			"new DataView(new Uint8Array([1]).buffer), new DataView(new Uint8Array([2]).buffer)", "Buffer.from('a'), Buffer.from('b')",
			"new Uint8Array([1]), new Int8Array([1])", "new Uint8Array([1]), [1]", "() => {}, () => {}", "Object.assign([1], { a: 1 }), [1]",
			"new URL('http://a/'), new URL('http://b/')", "cyclic({ a: 1 }), cyclic({ a: 2 })",
		},
	} {
		for _, pair := range pairs {
			cases = append(cases, [2]string{"compare(" + pair + ")", fmt.Sprintf("%q", want)})
		}
	}
	expressions(t, nil, head, cases)
}

// What is expected of an error counts, and the strict assertions are strict.
func TestAssertions(t *testing.T) {
	head := `
		const assert = require('assert'), { strict } = assert;
		class Own extends Error {}
		const abc = () => { throw new Error('abc'); };
		const code = async (f) => { try { await f(); return 'holds'; } catch (e) { return e.code || e.constructor.name; } };`
	var cases [][2]string
	for want, expressions := range map[string][]string{
		"holds": {
			"assert.throws(abc)", "assert.throws(abc, Error)", "assert.throws(abc, /b/)", "assert.throws(abc, { message: 'abc' })",
			"assert.throws(abc, { message: /a/, name: 'Error' })", "assert.throws(abc, new Error('abc'))", "assert.throws(abc, (e) => e.message === 'abc')",
			"assert.throws(abc, 'other')", "assert.doesNotThrow(() => {})", "assert.rejects(Promise.reject(new Own('x')), Own)",
			"assert.rejects(async () => { throw new Own('x'); }, /x/)", "assert.doesNotReject(Promise.resolve(1))", "assert.match('abc', /b/)",
			"assert.doesNotMatch('abc', /x/)", "assert.ifError(null)", "assert.equal(1, '1')", "strict.notEqual(1, '1')",
		},
		"ERR_ASSERTION": {
			"assert.throws(() => {})", "assert.throws(abc, Own)", "assert.throws(abc, /x/)", "assert.throws(abc, { message: 'abx' })",
			"assert.throws(abc, { code: 1 })", "assert.throws(abc, new TypeError('abc'))", "assert.throws(abc, () => false)",
			"assert.doesNotThrow(abc)", "assert.doesNotThrow(abc, /abc/)", "assert.rejects(Promise.reject(new Own('x')), TypeError)",
			"assert.rejects(Promise.resolve(1))", "assert.doesNotReject(Promise.reject(new Own('x')))", "assert.match('abc', /x/)", "assert.match(5, /5/)",
			"assert.doesNotMatch('abc', /b/)", "assert.ifError(new Error('bad'))", "strict.equal(1, '1')", "strict.deepEqual([1], ['1'])", "strict(0)",
			"require('assert/strict').equal(1, '1')", "assert()", "assert.fail()", "assert.throws(() => {}, Error, new Own())",
		},
		"ERR_AMBIGUOUS_ARGUMENT": {"assert.throws(abc, 'abc')"},
		"ERR_INVALID_ARG_TYPE":   {"assert.throws(abc, 5)", "assert.throws('x')", "assert.match('abc', 'b')", "assert.rejects(5)"},
		"ERR_INVALID_ARG_VALUE":  {"assert.throws(abc, {})"},
		"ERR_MISSING_ARGS":       {"assert.equal(1)"},
		"Error":                  {"assert.doesNotThrow(abc, TypeError)"},
		"Own":                    {"assert(0, new Own())", "assert.rejects(() => { throw new Own(); })"},
	} {
		for _, expression := range expressions {
			cases = append(cases, [2]string{"code(() => " + expression + ")", fmt.Sprintf("%q", want)})
		}
	}
	expressions(t, nil, head, cases)
}
