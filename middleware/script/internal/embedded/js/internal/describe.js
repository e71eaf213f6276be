'use strict';

const most = 1000; // characters of a reason: it goes to the log

// What a script gave as a reason as text: the message of an error, else what String makes of it.
exports.reason = (value) => {
  let text = 'a reason that is no text';
  try {
    text = typeof value === 'string' ? value : value instanceof Error ? String(value.message) : String(value);
  } catch (error) {
    // It is none.
  }
  return text.length > most ? text.slice(0, most) + '…' : text;
};

// The innermost place of a stack that is in a file of the user's.
function place(stack) {
  for (const [, file, line, column] of String(stack).matchAll(/(?:\(|at )((?:\/|[A-Za-z]:\\).*?):(\d+):(\d+)\)?$/gm)) {
    const [row, at] = native.place(file, Number(line), Number(column));
    return file + ':' + row + ':' + at + ': ';
  }
  return '';
}

// One line about what was thrown, with its place, and the stack, as JSON.
exports.describe = (value) => {
  if (!(value instanceof Error)) return JSON.stringify([exports.reason(value), '']);
  const { name, stack } = value;
  let reason = exports.reason(value);
  const missing = name === 'ReferenceError' && /^'(\w+)' is not defined$/.exec(reason);
  if (missing) reason = missing[1] + ' is not defined' + (native.isMissing(missing[1]) ? ': needs runtime node' : '');
  if (/^(Internal|Syntax)Error$/.test(name) && reason === 'stack overflow') return JSON.stringify([place(stack) + 'too much recursion', '']);
  if (name === 'SyntaxError' && value.placed) return JSON.stringify([reason, '']);
  return JSON.stringify([place(stack) + (name && name !== 'Error' ? name + ': ' : '') + reason, String(stack)]);
};
