// The client for whom the script is at work is known by the mark as well, a file that outlives this process. What the
// script begins for a client, such as a timer, goes on for that client.
const owner = Symbol('client');
const mark = Buffer.alloc(8);
let current = 0, owners = [];

function setCurrent(id) {
  if (id !== current) {
    current = id;
    mark.writeUInt32LE(id, 0);
    mark.writeUInt32LE((mark.readUInt32LE(4) + 1) >>> 0, 4);
    try {
      fs.writeSync(MARK, mark, 0, 8, 0);
    } catch {
      kill(pid, 'SIGKILL');
    }
  }
}

// unowned has something done soon, which is for no client.
function unowned(f, ...args) {
  now(f, ...args)[owner] = 0;
}

asyncHooks.createHook({
  init(id, type, trigger, resource) {
    if (current !== 0) {
      resource[owner] = current;
    }
  },
  before() {
    owners.push(current);
    setCurrent(asyncHooks.executionAsyncResource()[owner] ?? 0);
  },
  after() {
    setCurrent(owners.pop());
  },
}).enable();
