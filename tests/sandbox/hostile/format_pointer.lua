-- expect: script no %p here
return ("%p"):format(print)
