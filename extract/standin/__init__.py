"""A local stand-in of Huawei Cloud Live and of IAM: a real HTTP server that judges the client.

It is not Huawei Cloud and says so in its banner and in every answer's ``Server`` header. It
enforces what the vendor documents, makes each unknown a named switch, and shares no code with the
client but ``livetraffic.window``. Start at ``server.Standin``.
"""
