module.exports.run = function () {
  throw new Error('not today');
};
