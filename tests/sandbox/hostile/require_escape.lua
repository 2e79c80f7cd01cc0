-- expect: script no module
for _, name in ipairs { "/etc/passwd", "..", "../x", "lib/../../x", "\0", ("x"):rep(1e5) } do assert(not pcall(require, name)) end
require "os.execute"
