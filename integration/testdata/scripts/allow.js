module.exports.run = function () {};
