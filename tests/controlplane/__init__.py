"""Control planes of a tailnet for tests: what their public API descriptions say, on a loopback port.

The policy is compiled into packet filters and questions are answered on addresses, which is how
the real ones work, and another way than the one of `paisctl.policy`: the two check each other.
"""
