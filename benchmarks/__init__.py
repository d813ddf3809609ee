"""latentd beside other ways to serve the same models, measured from outside, over HTTP.

It uses the service and its peers as processes and the store's public functions; no room imports it.
"""
