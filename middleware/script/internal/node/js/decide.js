// A client that waits, or was let in while the script listens to its socket, is known by its number.
const clients = new Map();
const middlewares = [];
let local, balancer;

function decide(client) {
  client.socket = new ClientSocket(client);
  clients.set(client.id, client);
  advance(client);
}

// advance asks one middleware after the other until one does not answer at once, one blocks, or all have let the client in.
function advance(client) {
  while (client.step < middlewares.length) {
    let running = true, answered = false;
    const middleware = middlewares[client.step++];
    const next = (reason) => {
      if (answered) {
        return;
      }
      answered = true;
      if (reason) {
        block(client, reason);
      } else if (!running && !client.over) {
        workFor(client, advance, client);
      }
    };
    try {
      middleware(client.socket, next);
    } catch (error) {
      return uncaught(error);
    }
    running = false;
    if (!answered || client.over) {
      return;
    }
  }
  if (settle(client)) {
    client.admitted = true;
    send(ALLOW, client.id);
    if (client.listened) {
      follow(client);
    }
  }
}

// follow has Caddy tell when a client leaves that was let in.
function follow(client) {
  if (client.followed) {
    send(FOLLOW, client.id);
    clients.set(client.id, client);
  }
}

// settle notes that a client has its answer, and reports whether it had none.
function settle(client) {
  if (client.over) {
    return false;
  }
  client.over = true;
  clients.delete(client.id);
  if (client.listened) {
    net.Socket.prototype.setTimeout.call(client.socket, 0);
  }
  return true;
}

function block(client, reason) {
  if (!settle(client)) {
    return;
  }
  client.keptOut = true;
  send(BLOCK, client.id, reasonOf(reason));
  emit(balancer, 'notice', reason);
  if (client.listened) {
    unowned(close, client);
  }
}

// uncaught deals with what the script throws and does not catch: it keeps out the client for whom that was done.
function uncaught(error, client = current) {
  const waited = client !== undefined && settle(client);
  send(FAILED, waited ? client.id : 0, describe(error), cut(stackOf(error), MOST_STACK));
  if (waited && client.listened) {
    client.keptOut = true;
    unowned(close, client);
  }
  emit(balancer, 'error', error);
}

let emitting = false;

function emit(emitter, event, value) {
  if (emitting || emitter.listenerCount(event) === 0) {
    return;
  }
  emitting = true; // a listener that throws must not be told of it
  try {
    emitter.emit(event, value);
  } catch (error) {
    uncaught(error);
  } finally {
    emitting = false;
  }
}

const cut = (text, most) => text.length > most ? text.slice(0, most) + '…' : text;

function reasonOf(reason) {
  try {
    return cut(String(util.types.isNativeError(reason) ? reason.message : reason), MOST_REASON);
  } catch {
    return 'a reason that is no text';
  }
}

function stackOf(error) {
  try {
    return error instanceof Error ? String(error.stack) : '';
  } catch {
    return '';
  }
}

// describe makes an error one line that names the place.
function describe(error) {
  const stack = stackOf(error);
  let place = /^(\/.*|[A-Z]:\\.*|file:.*):(\d+)\n/.exec(stack); // of a syntax error
  for (const match of place ? [] : stack.matchAll(/^ +at (?:.* \()?((?:\/|[A-Z]:\\|file:).*):(\d+):(\d+)\)?$/gm)) {
    place = match;
    break;
  }
  let name = '';
  try {
    name = error instanceof Error && error.name !== 'Error' ? error.name + ': ' : '';
  } catch { /* it has none that can be had */ }
  return (place ? place.slice(1).map((part) => part.replace(/^file:\/\//, '') + ':').join('') + ' ' : '') + name + reasonOf(error);
}
