"""Reading digits the way brains and machines do, in pure JAX functions.
"""
