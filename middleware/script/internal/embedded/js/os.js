'use strict';

const system = native.system();
for (const name of ['hostname', 'platform', 'type', 'arch', 'tmpdir', 'homedir']) exports[name] = () => system[name];
exports.EOL = system.platform === 'win32' ? '\r\n' : '\n';
