"""The inventory: WHERE things run. YAML files in, a typed inventory with marks out."""
