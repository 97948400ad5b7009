"""What people look at: pictures, one kind a file. They are drawn by matplotlib, the extra `report`."""
