'use strict';

module.exports = Object.assign({}, binding, {
  EOL: '\n',
  devNull: '/dev/null',
  constants: { signals: {}, errno: {} },
});
