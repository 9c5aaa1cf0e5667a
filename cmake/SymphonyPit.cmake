# symphony_add_pit(): one source, the forms of a pit that this tree can build.
