'use strict';

const { reason: reasonOf } = require('internal/balancer');

// What a file is wrapped in, which counts on its first line; see sources.go.
const head = '(function (exports, require, module, __filename, __dirname) {'.length;

// The innermost place of a stack that is in a file of the user's.
function place(stack) {
  for (const [, file, line, column] of String(stack).matchAll(/(?:\(|at )((?:\/|[A-Za-z]:\\).*?):(\d+):(\d+)\)?$/gm)) {
    return file + ':' + line + ':' + (line === '1' && column > head ? column - head : column) + ': ';
  }
  return '';
}

// One line about what was thrown, with its place, and the stack, as JSON.
exports.describe = (value) => {
  if (!(value instanceof Error)) return JSON.stringify([reasonOf(value), '']);
  const { name, stack } = value;
  let reason = reasonOf(value);
  const missing = name === 'ReferenceError' && /^'(\w+)' is not defined$/.exec(reason);
  if (missing) reason = missing[1] + ' is not defined' + (native.isMissing(missing[1]) ? ': needs runtime node' : '');
  if (/^(Internal|Syntax)Error$/.test(name) && reason === 'stack overflow') return JSON.stringify([place(stack) + 'too much recursion', '']);
  if (name === 'SyntaxError' && value.placed) return JSON.stringify([reason, '']);
  return JSON.stringify([place(stack) + (name && name !== 'Error' ? name + ': ' : '') + reason, String(stack)]);
};
