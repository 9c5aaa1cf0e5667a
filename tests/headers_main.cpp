// Owns the precompiled headers of all tests; does nothing itself.
int main() {}
