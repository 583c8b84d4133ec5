"""Likeness as a plug-in of GIMP 3: copy this folder into GIMP's folder of plug-ins, as ``likeness`` (docs/gimp.md).

GIMP runs ``likeness.py`` with a Python of its own, which has no Likeness in it: the plug-in runs the installed command. So
nothing in this folder imports the library; what there is to set and to say lies in ``table.json``, which
``tools/gimp_table.py`` makes from the table of options and the catalogues.
"""
