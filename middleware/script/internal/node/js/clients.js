// What the modules that both runtimes have in common call about clients, given by their numbers.
const native = {
  allow: (id) => send(ALLOW, id),
  block: (id, reason) => send(BLOCK, id, reason),
  failed(id, reason, stack) {
    send(STACK, 0, stack);
    send(FAILED, id, reason);
  },
  follow: (id) => send(FOLLOW, id),
  kick: (id) => send(KICK, id),
  forget: (first, last) => send(FORGET, first, String(last)),
  askTarget: ask,
  owner: () => current,
  // work has what runs next be for a client, or for none. It returns for whom it was before.
  work(id) {
    const before = current;
    setCurrent(id);
    return before;
  },
  belongs() {}, // what a promise leads to is the client's for whom it was begun
  later: unowned,
  collect() {
    v8.setFlagsFromString('--expose-gc');
    vm.runInNewContext('gc')();
  },
  told() {}, // Node has told it
  words: (...both) => both,
  column: (line, column) => column,
  enter, isReading,
  ready() {
    diagnostics.unsubscribe?.('http.client.request.start', begun);
    send(READY, 0);
  },
  broken: (reason) => send(BROKEN, 0, reason),
};

// A module that both runtimes have in common, or one of Node's.
const shared = {};
const need = ((require) => (name) => shared[name] ?? require(name))(require); // scripts do not have that as a global
