// Debian 12 has Node 18, where smee-client 5 (made for 20) misses these.
globalThis.File ??= require("node:buffer").File;
String.prototype.toWellFormed ??= function () {
  return this.replace(/\p{Surrogate}/gu, "\ufffd");
};
String.prototype.isWellFormed ??= function () {
  return !/\p{Surrogate}/u.test(this);
};
