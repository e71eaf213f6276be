// A client's socket is a net.Socket that becomes a whole one when the script uses more of it than its addresses.
function ClientSocket(client) {
  this[owner] = client;
}

const proto = ClientSocket.prototype = Object.create(net.Socket.prototype);

function complete(socket) {
  for (const name of lazy) {
    Object.defineProperty(socket, name, { value: undefined, writable: true, configurable: true, enumerable: true });
  }
  net.Socket.call(socket);
  socket.on('error', (error) => emit(balancer, 'error', error));
  const client = socket[owner];
  client.listened = true;
  if (client.admitted) {
    follow(client);
  } else if (client.over) {
    unowned(close, client);
  }
}

const lazy = ['_events', '_readableState', '_writableState'];
for (const name of lazy) {
  Object.defineProperty(proto, name, {
    get() {
      if (this[owner] === undefined) {
        return undefined;
      }
      complete(this);
      return this[name];
    },
    set(value) { Object.defineProperty(this, name, { value, writable: true, configurable: true, enumerable: true }); },
  });
}

function beforeBytes(what) {
  return new Error(`socket.${what}: middlewares decide before any byte is read`);
}

const plain = (name, value) => Object.defineProperty(proto, name, { value, writable: true, configurable: true });
const getters = {
  remoteAddress() { return this[owner].address; },
  remotePort() { return this[owner].port; },
  remoteFamily() { return 'IPv6'; },
  localAddress() { return this[owner].local.address; },
  localPort() { return this[owner].local.port; },
  localFamily() { return 'IPv6'; },
  pending() { return false; },
  bufferSize() { return this.writableLength; },
};
for (const [name, get] of Object.entries(getters)) {
  Object.defineProperty(proto, name, { get, set() {}, configurable: true });
}
plain('connecting', false);
plain('allowHalfOpen', false);
plain('address', function () { return { address: this.localAddress, family: 'IPv6', port: this.localPort }; });
plain('pipe', () => { throw beforeBytes('pipe'); });
plain('write', () => { throw new Error('socket.write: middlewares decide before any byte is sent'); });
for (const name of ['on', 'addListener', 'prependListener']) {
  plain(name, function (event, listener) {
    if (event === 'data' || event === 'readable') {
      throw beforeBytes(`on('${event}')`);
    }
    return net.Socket.prototype[name].call(this, event, listener);
  });
}
// What the script would say last is left out: a client that is kept out gets no byte.
plain('end', function (...args) {
  hangUp(this[owner], 'end');
  return net.Socket.prototype.end.call(this, args.find((arg) => typeof arg === 'function'));
});
plain('_read', () => {});
plain('_final', (done) => process.nextTick(done));
plain('resetAndDestroy', function () { return this.destroy(); });
plain('destroy', function (error) {
  if (!this.destroyed) {
    hangUp(this[owner], 'destroy', error);
  }
  return net.Socket.prototype.destroy.call(this, error);
});
plain('_destroy', function (error, done) {
  net.Socket.prototype.setTimeout.call(this, 0);
  process.nextTick(() => {
    done(error);
    process.nextTick(() => this.emit('close', Boolean(error)));
  });
});
// The bytes of a client are not seen here, so its time counts from the call, and ends with the decision.
plain('setTimeout', function (ms, listener) {
  net.Socket.prototype.setTimeout.call(this, ms, listener);
  return this[owner].over ? net.Socket.prototype.setTimeout.call(this, 0) : this;
});

// hangUp keeps out a client that waits, and kicks one that was let in.
function hangUp(client, method, error) {
  if (client.gone) {
    return;
  }
  if (client.admitted) {
    if (!client.kickable) {
      throw new Error(`socket.${method}: the connection was let in already and is not the script's any more`);
    }
    send(KICK, client.id);
    if (method === 'end') {
      unowned(close, client);
    }
    clients.delete(client.id);
  } else if (settle(client)) {
    send(BLOCK, client.id, `the script called socket.${method}()` + (error ? ': ' + reasonOf(error) : ''));
    unowned(close, client);
  }
}

// close tells the script that a client's connection is over.
function close(client) {
  clients.delete(client.id);
  client.over = client.gone = true;
  const { socket } = client;
  if (!client.listened) {
    Object.defineProperty(socket, 'destroyed', { value: true, writable: true, configurable: true });
    return;
  }
  net.Socket.prototype.setTimeout.call(socket, 0);
  if (socket.destroyed) {
    return;
  }
  const end = () => {
    socket.push(null);
    socket.resume();
  };
  if (client.keptOut) {
    net.Socket.prototype.end.call(socket, end);
  } else {
    end();
  }
}
